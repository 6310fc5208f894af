"""Dropped samples are kept for a while, and no longer than the tweets whose words they repeat."""

from datetime import timedelta

import pytest
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from game.pool.models import Category, Kind, NearMarks, Status, Tweet
from game.pool.services import NewTweet, add_tweets, erase_tweets, get_author
from generation import pool as pool_module
from generation.batches import run_batch
from generation.models import Batch, DroppedSample
from generation.pool import Pool
from generation.rules import Drop
from generation.samples import KEPT, KEPT_FOR, keep_samples
from generation.screening import Fallen

OWLS = "We counted the owls of the old barn twice on Sunday, and then we walked home through the snow."


def add_human(category: Category, *texts: str) -> list[int | None]:
    author = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada")
    return add_tweets(category=category, tweets=[NewTweet(author, text) for text in texts], status=Status.APPROVED)


def texts_left() -> list[str]:
    return list(DroppedSample.objects.order_by("pk").values_list("text", flat=True))


def test_a_batch_leaves_samples_of_what_it_dropped(batch: Batch) -> None:
    done = run_batch(batch_id=batch.pk, now=timezone.now())
    assert done is not None
    kept = DroppedSample.objects.filter(batch=done).values_list("reason", flat=True)
    assert {reason: min(count, 3) for reason, count in done.dropped.items()} == {reason: list(kept).count(reason) for reason in kept}


def test_what_a_batch_wrote_is_known_to_the_next(batch: Batch) -> None:
    first = run_batch(batch_id=batch.pk, now=timezone.now())
    assert first is not None
    written = list(Tweet.objects.values_list("pk", "text"))
    near = Pool(first.model_version.category).near([f"{text} Yes" for _, text in written])
    assert [each and each.tweet for each in near] == [pk for pk, _ in written]


def test_the_newest_few_of_each_reason_are_kept(batch: Batch) -> None:
    for number in range(KEPT + 5):
        keep_samples(batch=batch, fallen=[Fallen(Drop.TOO_SHORT, f"{number}."), Fallen(Drop.LINK, "A link.")][: 1 + (number == 0)])
    assert texts_left() == ["A link.", *(f"{number}." for number in range(5, KEPT + 5))]


def test_no_sample_is_kept_for_long(batch: Batch) -> None:
    keep_samples(batch=batch, fallen=[Fallen(Drop.LINK, "An old one."), Fallen(Drop.LINK, "A new one.")])
    DroppedSample.objects.filter(text="An old one.").update(created_at=Now() - KEPT_FOR - timedelta(minutes=1))
    keep_samples(batch=batch, fallen=[])
    assert texts_left() == ["A new one."]


@pytest.mark.parametrize(
    "fallen",
    [
        Fallen(Drop.COPIED, "Somebody said that we counted the owls of the old barn twice on Sunday."),
        Fallen(Drop.COPIED, "Cut off.", detail="counted the owls of the old barn twice on"),
        Fallen(Drop.DUPLICATE, OWLS.upper()),
        Fallen(Drop.INCOMPLETE, OWLS[:-1]),
    ],
    ids=["run", "detail", "duplicate", "another reason"],
)
def test_samples_that_repeat_an_erased_tweet_are_deleted_with_it(batch: Batch, fallen: Fallen) -> None:
    erased, _ = add_human(batch.model_version.category, OWLS, "Nobody saw the herons.")
    keep_samples(batch=batch, fallen=[fallen, Fallen(Drop.LINK, "Nobody saw the owls of the barn.")])
    erase_tweets(tweets=Q(pk=erased), by=None, reason="gone")
    assert texts_left() == ["Nobody saw the owls of the barn."]


def test_a_sample_near_to_an_erased_tweet_is_deleted_with_it(batch: Batch) -> None:
    erased, other = add_human(batch.model_version.category, OWLS, "Nobody saw the herons.")
    near = [Fallen(Drop.NEAR, f"Near to {pk}.", "60% alike", pk) for pk in (erased, other)]
    keep_samples(batch=batch, fallen=near)
    erase_tweets(tweets=Q(pk=erased), by=None, reason="gone")
    assert texts_left() == [f"Near to {other}."]


def test_a_process_looks_through_a_pool_once(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_LATE", 0)
    category = batch.model_version.category
    told: list[int] = []
    pool = Pool(category, tell=lambda: told.append(1))
    first, second = add_human(category, OWLS, "Nobody saw the herons of the pond.")
    assert [each and each.tweet for each in pool.near([OWLS])] == [first]
    assert len(told) == 1
    # What was there before is not looked at again, what came since is.
    NearMarks.objects.all().delete()
    third = add_human(category, "The mill was closed, said the owl to the moon.")[0]
    near = pool.near(["The mill was closed, said the owl to the sun.", OWLS])
    assert [each and each.tweet for each in near] == [third, None]
    assert list(NearMarks.objects.values_list("tweet", flat=True)) == [third]
    assert (len(told), second in (first, third)) == (2, False)
