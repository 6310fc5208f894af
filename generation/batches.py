"""Batches: created once, claimed by one worker, run, and written in one transaction."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from game.live.services import announce
from game.pool.models import Status
from game.pool.services import NewTweet, add_tweets
from generation import workers
from generation.claims import DONE, FAILED, PENDING, RUNNING, Claim, claim_job, lease
from generation.loading import load_writer
from generation.models import Batch, ModelVersion
from generation.pool import Pool
from generation.rules import Drop
from generation.samples import keep_samples
from generation.signals import worker_stops
from generation.writing import Harvest, write

# The live topic of the page, and its one room.
GENERATION = "generation"
ALL = "all"


def announce_page() -> None:
    """Tell the page that something of it has changed."""
    announce(topic=GENERATION, keys=[ALL])


def create_batch(*, model_version: ModelVersion, wanted: int, key: str = "") -> Batch:
    """Create a batch that waits for a worker, or return the one that `key` already names."""
    batch, _ = Batch.objects.get_or_create(
        key=key or str(uuid4()), defaults={"model_version": model_version, "wanted": wanted, "lease_until": lease()}
    )
    return batch


def claim_batch(*, batch_id: int) -> Claim[Batch] | None:
    """Claim a batch that waits or was abandoned; None if it is done, failed, somebody else's, or its model is not active."""
    # Not by a join: see claim_job.
    active = Batch.objects.filter(model_version__in=ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE))
    pause = timedelta(seconds=settings.GENERATION_LEASE_SECONDS)
    return claim_job(active, pk=batch_id, pause=pause, worker=workers.here(), started_at=Now())


def run_batch(*, batch_id: int, now: datetime, progress: Callable[[float], None] = lambda _share: None) -> Batch | None:
    """Run a batch from claim to pool and return it; None if it is over or somebody else's.

    `progress` is told the share of the work that is done, after each chunk. Raises UnusableModelError,
    BackendError, LostClaimError.
    """
    claim = claim_batch(batch_id=batch_id)
    if claim is None:
        return None
    batch = Batch.objects.select_related("model_version__category", "model_version__author").get(pk=batch_id)
    model = batch.model_version

    def after_chunk(share: float) -> None:
        claim.renew()
        progress(share)

    pool = Pool(model.category, tell=claim.renew)
    announce_page()
    try:
        with claim, workers.at_work(f"Writing {batch.wanted} tweets for {model.category}"):
            writer = load_writer(model)
            # What `auto` came to. One that runs on another machine has none here.
            workers.tell_device(str(getattr(writer.backend, "device", "")))
            harvest = write(
                writer=writer,
                settings=model.sampling,
                language=model.category.language,
                wanted=batch.wanted,
                rng=Random(claim.token.int),
                known=pool.known,
                near=pool.near,
                after_chunk=after_chunk,
            )
            _store(claim, batch, harvest, now)
    finally:
        announce_page()
    batch.refresh_from_db()
    return batch


def _store(claim: Claim[Batch], batch: Batch, harvest: Harvest, now: datetime) -> None:
    model, dropped = batch.model_version, harvest.dropped
    facts = {"model": model.name, "version": model.version} | {key: model.sampling[key] for key in ("temperature", "topk", "topp")}
    # What was chosen has passed all that a tweet is flagged for.
    status = Status.APPROVED if model.category.approves_clean else Status.PENDING
    with transaction.atomic():
        tweets = [NewTweet(author=model.author, text=text, posted_at=now, facts=facts) for text in harvest.chosen]
        kept = sum(pk is not None for pk in add_tweets(category=model.category, tweets=tweets, status=status))
        # Another batch of the category may have written the same text since the screen.
        dropped[Drop.DUPLICATE] += len(harvest.chosen) - kept
        claim.finish(made=harvest.made, kept=kept, dropped={reason: count for reason, count in dropped.most_common() if count})
        keep_samples(batch=batch, fallen=harvest.fallen)


def cancel_batch(*, batch_id: int) -> None:
    """Forget a batch that is not done: whoever asked for it wants it no more, and who is at it finds the claim gone."""
    Batch.objects.filter(pk=batch_id).exclude(state=DONE).delete()
    announce_page()


def hand_back(*, worker: str) -> None:
    """Take from a worker that is told to stop what it is at: the next tick of the clock gives a batch to another.

    The try does not count, and where the worker goes on all the same it can't renew its claim.
    """
    held = Batch.objects.filter(state=RUNNING, worker=worker)
    if held.update(state=PENDING, tries=F("tries") - 1, claimed_by=None, lease_until=Now()):
        announce_page()
    worker_stops.send(sender=Batch, worker=worker)


def retry_failure(*, batch_id: int) -> bool:
    """Have a failed batch done once more, in the place of all that failed alike; False if its model writes no more, or it is no failure.

    The clock gives it to a worker at its next tick.
    """
    with transaction.atomic():
        active = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE)
        failed = Batch.objects.select_for_update(of=("self",)).filter(state=FAILED, pk=batch_id, model_version__in=active).first()
        if failed is None:
            return False
        _alike(failed).exclude(pk=batch_id).delete()
        Batch.objects.filter(pk=batch_id).update(state=PENDING, tries=0, error="", finished_at=None, lease_until=Now())
    announce_page()
    return True


def clear_failure(*, batch_id: int) -> None:
    """Forget a failed batch and all that failed alike; the clock plans anew what the pool lacks."""
    for failed in Batch.objects.filter(state=FAILED, pk=batch_id):
        _alike(failed).delete()
    announce_page()


def _alike(failed: Batch) -> "QuerySet[Batch]":
    return Batch.objects.filter(state=FAILED, model_version=failed.model_version_id, error=failed.error)
