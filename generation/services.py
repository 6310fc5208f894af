"""Transactions of generation: models are registered, batches planned, claimed, run and written once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile
from random import Random
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F, Max, Q, QuerySet, Sum
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from game.pool.models import Category, Kind, Status, Tweet
from game.pool.services import NewTweet, add_tweets, count_ready
from generation import planning
from generation.backends.base import BackendError
from generation.loading import load_writer
from generation.models import Batch, ModelVersion
from generation.planning import Stock
from generation.rules import Drop
from generation.writing import Harvest, write

MAX_TRIES = 3
# After these a batch is tried again (SystemExit: its worker was told to stop); anything else fails it at once.
RETRYABLE = (BackendError, OperationalError, SystemExit)

_UNFINISHED = Q(state__in=(Batch.State.PENDING, Batch.State.RUNNING))
# Any constant that no other advisory lock of this database uses.
_PLANNING_LOCK = 0x626F7473


class LostClaimError(Exception):
    """Somebody else took a batch over while this process worked on it; nothing of it was written here."""


def keep_pool_ready(*, now: datetime) -> list[int]:
    """Plan what the categories lack and take back what was abandoned; return the batches to enqueue.

    Does nothing while another process is at it.
    """
    with transaction.atomic():
        if not _take_planning_lock():
            return []
        return [*_take_back_abandoned(), *_plan(now)]


def _take_planning_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_PLANNING_LOCK])
        return bool(cursor.fetchone()[0])


def _lease() -> CombinedExpression:
    # By the database's clock: the one that all workers share.
    return Now() + timedelta(seconds=settings.GENERATION_LEASE_SECONDS)


def _take_back_abandoned() -> list[int]:
    # Planned while its model was replaced: nobody may claim it.
    Batch.objects.filter(_UNFINISHED).exclude(model_version__state=ModelVersion.State.ACTIVE).delete()
    abandoned = Batch.objects.filter(_UNFINISHED, lease_until__lt=Now())
    abandoned.filter(error="", tries__gte=MAX_TRIES).update(error=f"Its worker stopped answering, {MAX_TRIES} times.")
    abandoned.filter(tries__gte=MAX_TRIES).update(state=Batch.State.FAILED, finished_at=Now())
    again = list(abandoned.select_for_update().order_by("pk").values_list("pk", flat=True))
    # `claimed_by` stays: a worker that was only slow may still finish first.
    Batch.objects.filter(pk__in=again).update(state=Batch.State.PENDING, lease_until=_lease())
    return again


def _plan(now: datetime) -> list[int]:
    models = {model.category_id: model for model in ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE, category__active=True)}
    # What a replaced model left does not count: its successor begins to write at once.
    ready = count_ready(categories=Category.objects.filter(pk__in=models), authors=[model.author_id for model in models.values()])
    in_flight = dict(Batch.objects.filter(_UNFINISHED).values_list("model_version__category").annotate(Sum("wanted")))
    stocks = [Stock(category, ready[category][Kind.MACHINE], in_flight.get(category, 0)) for category in models]
    lacking = [stock for stock in stocks if stock.has < settings.GENERATION_READY and not _rests(models[stock.category], now)]
    plan = planning.plan_batches(lacking, target=settings.GENERATION_READY, batch_size=settings.GENERATION_BATCH_SIZE)
    # Two plans from one state of things would name their batches alike.
    state = Batch.objects.aggregate(last=Max("pk"))["last"] or 0
    return [
        create_batch(model_version=models[category], wanted=wanted, key=f"pool-{state}-{place}").pk
        for place, (category, wanted) in enumerate(plan)
    ]


def _rests(model_version: ModelVersion, now: datetime) -> bool:
    """Say whether the model's last batches came to nothing, too recently to try again."""
    last = model_version.batches.exclude(finished_at=None).order_by("-finished_at")[:10]
    fruitless = list(takewhile(lambda batch: not batch.kept, last))
    since = fruitless[0].finished_at if fruitless else None
    return since is not None and now < since + planning.pause_after_failures(len(fruitless))


def create_batch(*, model_version: ModelVersion, wanted: int, key: str = "") -> Batch:
    """Create a batch that waits for a worker, or return the one that `key` already names."""
    batch, _ = Batch.objects.get_or_create(
        key=key or str(uuid4()), defaults={"model_version": model_version, "wanted": wanted, "lease_until": _lease()}
    )
    return batch


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run a batch until its lease ends and somebody takes it over.

    As a context manager it decides what becomes of a batch whose try dies: after an error worth a
    retry somebody tries again when the lease is over, after anything else nobody does.
    """

    batch: Batch
    token: UUID

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, LostClaimError):
            return
        what = f"{type(error).__name__}: {error}"
        if isinstance(error, RETRYABLE) and self.batch.tries < MAX_TRIES:
            self._mine().update(state=Batch.State.PENDING, lease_until=_lease(), error=what)
        else:
            self._mine().update(state=Batch.State.FAILED, finished_at=Now(), error=what)

    def renew(self) -> None:
        """Prolong the lease; raises LostClaimError."""
        if not self._mine().update(state=Batch.State.RUNNING, lease_until=_lease()):
            raise LostClaimError(f"Batch {self.batch.pk} was given to another worker.")

    def finish(self, **result: Any) -> None:
        """Mark the batch as done with its result; raises LostClaimError."""
        if not self._mine().update(state=Batch.State.DONE, finished_at=Now(), error="", **result):
            raise LostClaimError(f"Batch {self.batch.pk} was given to another worker.")

    def _mine(self) -> "QuerySet[Batch]":
        return Batch.objects.filter(_UNFINISHED, pk=self.batch.pk, claimed_by=self.token)


def claim_batch(*, batch_id: int) -> Claim | None:
    """Claim a batch that waits or was abandoned; None if it is done, failed, somebody else's, or its model is not active."""
    token = uuid4()
    free = Q(state=Batch.State.PENDING) | Q(state=Batch.State.RUNNING, lease_until__lt=Now())
    # Not by a join: that puts every condition into a subquery, which PostgreSQL does not look at again after a wait.
    active = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE)
    won = Batch.objects.filter(free, pk=batch_id, tries__lt=MAX_TRIES, model_version__in=active).update(
        state=Batch.State.RUNNING, tries=F("tries") + 1, claimed_by=token, lease_until=_lease()
    )
    return Claim(Batch.objects.select_related("model_version__category", "model_version__author").get(pk=batch_id), token) if won else None


def run_batch(*, batch_id: int, now: datetime, progress: Callable[[float], None] = lambda _share: None) -> Batch | None:
    """Run a batch from claim to pool and return it; None if it is over or somebody else's.

    `progress` is told the share of the work that is done, after each chunk. Raises UnusableModelError,
    BackendError, LostClaimError.
    """
    claim = claim_batch(batch_id=batch_id)
    if claim is None:
        return None
    with claim:
        model = claim.batch.model_version
        writer = load_writer(model.backend, model.folder, settings.GENERATION_DEVICE)

        def after_chunk(share: float) -> None:
            claim.renew()
            progress(share)

        harvest = write(
            writer=writer,
            settings=model.sampling,
            language=model.category.language,
            wanted=claim.batch.wanted,
            rng=Random(claim.token.int),
            known=partial(_in_pool, model.category),
            after_chunk=after_chunk,
        )
        _store(claim, harvest, now)
    claim.batch.refresh_from_db()
    return claim.batch


def _in_pool(category: Category, marks: Iterable[bytes]) -> set[bytes]:
    found = Tweet.objects.filter(category=category, fingerprint__in=marks)
    return set(map(bytes, found.values_list("fingerprint", flat=True)))


def _store(claim: Claim, harvest: Harvest, now: datetime) -> None:
    model, dropped = claim.batch.model_version, harvest.dropped
    facts = {"model": model.name, "version": model.version} | {key: model.sampling[key] for key in ("temperature", "topk", "topp")}
    with transaction.atomic():
        tweets = [NewTweet(author=model.author, text=text, posted_at=now, facts=facts) for text in harvest.chosen]
        kept = sum(pk is not None for pk in add_tweets(category=model.category, tweets=tweets, status=Status.APPROVED))
        # Another batch of the category may have written the same text since the screen.
        dropped[Drop.DUPLICATE] += len(harvest.chosen) - kept
        claim.finish(made=harvest.made, kept=kept, dropped={reason: count for reason, count in dropped.most_common() if count})
