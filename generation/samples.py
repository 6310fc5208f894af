"""Dropped samples: a few are kept for a while, so that people can see what the filters do. None outlives the tweet that it repeats."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

from django.db.models import F, Q, Window
from django.db.models.functions import Now, RowNumber

from game.pool.models import Tweet
from game.pool.rules import fingerprint
from generation.models import Batch, DroppedSample
from generation.rules import run_hashes
from generation.screening import Fallen

# Of each reason in each category the newest, and none for longer.
KEPT = 20
KEPT_FOR = timedelta(days=14)


def keep_samples(*, batch: Batch, fallen: Iterable[Fallen]) -> None:
    """Keep what a batch dropped, and no more than the newest few of each reason; in the transaction that finishes the batch."""
    rows = [
        DroppedSample(batch=batch, reason=each.reason, text=each.text, detail=each.detail[:400], tweet_id=each.tweet) for each in fallen
    ]
    DroppedSample.objects.bulk_create(rows)
    place = Window(RowNumber(), partition_by="reason", order_by=F("pk").desc())
    ours = DroppedSample.objects.filter(batch__model_version__category=batch.model_version.category_id)
    many = ours.annotate(place=place).filter(place__gt=KEPT).values_list("pk", flat=True)
    DroppedSample.objects.filter(Q(pk__in=list(many)) | Q(created_at__lt=Now() - KEPT_FOR)).delete()


def forget_samples(tweets: Collection[Tweet], **_: Any) -> None:
    """Delete every sample that repeats words of these tweets, which are being erased: all of them, nearly all, or eight in a row."""
    runs = {run for tweet in tweets for run in run_hashes(tweet.text)}
    marks = {fingerprint(tweet.text) for tweet in tweets}
    samples = DroppedSample.objects.filter(batch__model_version__category__in={tweet.category_id for tweet in tweets})
    copies = [
        sample.pk
        for sample in samples
        if fingerprint(sample.text) in marks or not runs.isdisjoint(run_hashes(f"{sample.text} {sample.detail}"))
    ]
    DroppedSample.objects.filter(Q(pk__in=copies) | Q(tweet__in=[tweet.pk for tweet in tweets])).delete()
