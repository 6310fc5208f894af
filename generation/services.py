"""The pool is kept filled: what it lacks is planned, what was abandoned is taken back, what failed is tried again."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, takewhile

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection, transaction
from django.db.models import Count, F, Max, OuterRef, Sum
from django.db.models.functions import Greatest, Least, Now

from game.pool.models import Category, Kind, Status, Tweet
from game.pool.services import count_ready
from generation import planning
from generation.batches import announce_page, create_batch
from generation.claims import MAX_TRIES, UNFINISHED, lease
from generation.models import Batch, ModelVersion
from generation.planning import Stock

# Any constant that no other advisory lock of this database uses.
_PLANNING_LOCK = 0x626F7473
# Batches by which a model's pace and luck are told.
RECENT = 10
# Until a message that was not answered is sent once more.
LONGEST_WAIT = timedelta(minutes=10)
GIVEN_UP = (
    f"Its worker died or stopped answering, {MAX_TRIES} times: as a rule for want of memory. "
    "See the worker's log; GENERATION_BATCH_SIZE sets how much is asked for at once."
)


def keep_pool_ready(*, now: datetime, messages_may_be_lost: bool = False) -> list[int]:
    """Plan what the categories lack and take back what was abandoned; return the batches to enqueue.

    If `messages_may_be_lost`, also those that merely wait. Does nothing while another process is at it.
    """
    with transaction.atomic():
        if not _take_planning_lock():
            return []
        if messages_may_be_lost:
            Batch.objects.filter(state=Batch.State.PENDING).update(lease_until=Now())
        batches = [*_take_back_abandoned(), *_plan(now)]
    if batches:
        announce_page()
    return batches


def _take_planning_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_PLANNING_LOCK])
        return bool(cursor.fetchone()[0])


def _take_back_abandoned() -> list[int]:
    # Planned while its model was replaced: nobody may claim it.
    Batch.objects.filter(UNFINISHED).exclude(model_version__state=ModelVersion.State.ACTIVE).delete()
    abandoned = Batch.objects.filter(UNFINISHED, lease_until__lt=Now())
    abandoned.filter(error="", tries__gte=MAX_TRIES).update(error=GIVEN_UP)
    abandoned.filter(tries__gte=MAX_TRIES).update(state=Batch.State.FAILED, finished_at=Now())
    again = list(abandoned.select_for_update().order_by("pk").values_list("pk", flat=True))
    # `claimed_by` stays: a worker that was only slow may still finish first.
    # The longer one waits, the longer until it is sent once more: while no worker is there, messages must not heap up.
    due = Greatest(lease(), Now() + Least(Now() - F("created_at"), LONGEST_WAIT))
    Batch.objects.filter(pk__in=again).update(state=Batch.State.PENDING, lease_until=due)
    return again


def _plan(now: datetime) -> list[int]:
    models = {model.category_id: model for model in ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE, category__active=True)}
    unfinished = Batch.objects.filter(UNFINISHED)
    resting = {pk for pk, until in find_resting(find_recent(models=models.values())).items() if now < until}
    stocks = [stock for stock in _take_stock(models, now=now) if models[stock.category].pk not in resting]
    plan = planning.plan_batches(stocks, batch_size=settings.GENERATION_BATCH_SIZE, room=planning.QUEUE - unfinished.count())
    # Two plans from one state of things would name their batches alike.
    state = Batch.objects.aggregate(last=Max("pk"))["last"] or 0
    return [
        create_batch(model_version=models[category], wanted=wanted, key=f"pool-{state}-{place}").pk
        for place, (category, wanted) in enumerate(plan)
    ]


def _take_stock(models: dict[int, ModelVersion], *, now: datetime) -> list[Stock]:
    # What a replaced model left does not count: its successor begins to write at once.
    ready = count_ready(categories=Category.objects.filter(pk__in=models), authors=[model.author_id for model in models.values()])
    in_flight = dict(Batch.objects.filter(UNFINISHED).values_list("model_version__category").annotate(Sum("wanted")))
    waiting = _count_waiting(models)
    consumed = count_consumed(since=now - planning.HOUR)
    return [
        Stock(category, ready[category][Kind.MACHINE], in_flight.get(category, 0) + waiting.get(category, 0), used, target(used))
        for category in models
        for used in [consumed.get(category, 0)]
    ]


def _count_waiting(models: dict[int, ModelVersion]) -> dict[int, int]:
    """Count what the models wrote for categories whose moderators look at all of it: while they have not, no more is needed."""
    pending = Tweet.objects.filter(category__in=models, category__approves_clean=False, status=Status.PENDING)
    mine = pending.filter(author__in=[model.author_id for model in models.values()])
    return dict(mine.values_list("category").annotate(Count("id")))


def target(consumed: int) -> int:
    """Return how many machine tweets a category is to have ready that used so many within the last hour."""
    return planning.target(
        consumed,
        at_least=settings.GENERATION_READY,
        hours_ahead=settings.GENERATION_HOURS_AHEAD,
        at_most=settings.GENERATION_READY_AT_MOST,
    )


def count_consumed(*, since: datetime) -> dict[int, int]:
    """Return, per category id, how many machine tweets were dealt for the first time since then."""
    dealt = Tweet.objects.filter(kind=Kind.MACHINE, first_dealt_at__gte=since)
    return dict(dealt.values_list("category").annotate(Count("id")))


def find_recent(*, models: Iterable[ModelVersion]) -> dict[int, list[Batch]]:
    """Return the last batches of each model that are over, by its id, the newest first."""
    # By the index, model for model: a history only grows, and planning asks every few seconds.
    over = Batch.objects.filter(model_version=OuterRef("pk"), finished_at__isnull=False).order_by("-finished_at")
    last = ModelVersion.objects.filter(pk__in=[model.pk for model in models]).annotate(last=ArraySubquery(over.values("pk")[:RECENT]))
    recent: dict[int, list[Batch]] = {}
    for batch in Batch.objects.filter(pk__in=chain.from_iterable(last.values_list("last", flat=True))).order_by("-finished_at"):
        recent.setdefault(batch.model_version_id, []).append(batch)
    return recent


def find_resting(recent: Mapping[int, Sequence[Batch]]) -> dict[int, datetime]:
    """Return until when models are left alone whose last batches, as find_recent has them, came to nothing; by their ids."""
    resting = {}
    for model, batches in recent.items():
        fruitless = list(takewhile(lambda batch: not batch.kept, batches))
        if fruitless and (since := fruitless[0].finished_at):
            resting[model] = since + planning.pause_after_failures(len(fruitless))
    return resting
