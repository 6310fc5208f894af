"""What the page of generation reads. Nothing here writes."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Model, Q, QuerySet, Sum

from game.pool.models import Category, Kind
from game.pool.services import count_ready
from generation import planning, words
from generation.claims import UNFINISHED
from generation.models import Batch, ModelVersion, Worker
from generation.queues import other_queues
from generation.services import count_consumed, find_recent, find_resting, target
from generation.workers import AWAY_SECONDS

_State = Batch.State
# A failed batch stays until it is cleared. What nobody can clear goes after this: it is tried anew when it is asked for again.
TOLD_FOR = timedelta(days=1)


def read_page(*, now: datetime) -> dict[str, Any]:
    """Return everything that the page shows and that may change."""
    return {
        **read_workers(now=now),
        "queue": read_queue(now=now),
        "others": read_others(now=now),
        "stocks": read_stocks(now=now),
        "failures": read_failures(now=now),
    }


def read_workers(*, now: datetime) -> dict[str, Any]:
    """Return the workers of the last day, those that are here first, and for how long nobody was."""
    workers = {worker: now - worker.seen_at for worker in Worker.objects.order_by("name")}
    last, away = min(workers.values(), default=None), timedelta(seconds=AWAY_SECONDS)
    return {
        "workers": [
            {"worker": worker, "away": ago > away, "seen": words.seen(ago)}
            for worker, ago in sorted(workers.items(), key=lambda item: item[1] > away)
        ],
        "nobody": last is None or last > away,
        "nobody_for": "" if last is None else words.duration(last),
    }


def read_queue(*, now: datetime) -> dict[str, Any]:
    """Return how many batches run and wait, how many tweets those are, and for how long the oldest has waited."""
    rows = {
        row["state"]: row
        for row in Batch.objects.filter(UNFINISHED).values("state").annotate(Count("id"), Sum("wanted"), Min("created_at"))
    }
    waiting = rows.get(_State.PENDING)
    return {
        "running": rows.get(_State.RUNNING, {"id__count": 0})["id__count"],
        "waiting": waiting["id__count"] if waiting else 0,
        "tweets": sum(row["wanted__sum"] for row in rows.values()),
        "oldest": words.duration(now - waiting["created_at__min"]) if waiting else "",
    }


def read_others(*, now: datetime) -> list[dict[str, Any]]:
    """Return of every other queue how many jobs run and wait, and for how long the oldest has waited."""
    return [_read_other(name, jobs, now) for name, jobs in other_queues().items()]


def _read_other(name: str, jobs: type[Model], now: datetime) -> dict[str, Any]:
    waits = Q(state=_State.PENDING)
    found = jobs._default_manager.filter(UNFINISHED).aggregate(
        running=Count("pk", filter=~waits), waiting=Count("pk", filter=waits), since=Min("created_at", filter=waits)
    )
    since = found.pop("since")
    return {"name": name, **found, "oldest": words.duration(now - since) if since else ""}


def read_stocks(*, now: datetime) -> list[dict[str, Any]]:
    """Return what each category of players has, how fast it is used up, and how its model writes."""
    categories = list(Category.objects.filter(active=True).order_by("name"))
    models = {model.category_id: model for model in ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE, category__active=True)}
    ready, consumed = count_ready(categories=categories), count_consumed(since=now - planning.HOUR)
    asked = dict(Batch.objects.filter(UNFINISHED).values_list("model_version__category").annotate(Sum("wanted")))
    recent = find_recent(models=models.values())
    resting = find_resting(recent)

    def describe(category: Category) -> dict[str, Any]:
        model, used = models.get(category.pk), consumed.get(category.pk, 0)
        until = resting.get(model.pk) if model else None
        machine = ready[category.pk][Kind.MACHINE]
        return {
            "category": category,
            "model": model,
            "machine": machine,
            "human": ready[category.pk][Kind.HUMAN],
            "target": target(used),
            "consumed": used,
            "lasts": words.lasts(machine, used),
            "asked": asked.get(category.pk, 0),
            "rests_until": until if until and until > now else None,
            **_pace(recent.get(model.pk, []) if model else []),
        }

    return [describe(category) for category in categories]


def _pace(recent: Sequence[Batch]) -> dict[str, float | None]:
    """Return how many tweets a second the last batches that were done kept, and what share of their samples."""
    done = [batch for batch in recent if batch.state == _State.DONE]
    timed = [batch for batch in done if batch.started_at and batch.finished_at]
    seconds = sum((batch.finished_at - batch.started_at).total_seconds() for batch in timed if batch.finished_at and batch.started_at)
    return {
        "pace": _kept(timed) / seconds if seconds else None,
        "share": 100 * _kept(done) / made if (made := sum(batch.made for batch in done)) else None,
    }


def _kept(batches: Iterable[Batch]) -> int:
    return sum(batch.kept for batch in batches)


def read_failures(*, now: datetime) -> list[dict[str, Any]]:
    """Return what failed and was not cleared, what failed alike as one, the newest first; `queue` names the other queue that it is of."""
    failed: dict[str, QuerySet[Any]] = {"": Batch.objects.filter(state=_State.FAILED)}
    for name, jobs in other_queues().items():
        lately = jobs._default_manager.filter(state=_State.FAILED, finished_at__gt=now - TOLD_FOR)
        failed[name] = lately.filter(model_version__state=ModelVersion.State.ACTIVE)
    told = [_tell(row, queue) for queue, jobs in failed.items() for row in _alike(jobs)]
    return sorted(told, key=lambda row: row["last"], reverse=True)


def _alike(failed: QuerySet[Any]) -> Iterable[dict[str, Any]]:
    return failed.values(
        "error", "model_version__name", "model_version__version", "model_version__state", "model_version__category__name"
    ).annotate(newest=Max("id"), jobs=Count("id"), tries=Max("tries"), since=Min("finished_at"), last=Max("finished_at"))


def _tell(row: dict[str, Any], queue: str) -> dict[str, Any]:
    return {
        **row,
        "queue": queue,
        "words": words.explain(row["error"]),
        "model": f"{row['model_version__name']} v{row['model_version__version']}",
        "category": row["model_version__category__name"],
        "writes": row["model_version__state"] == ModelVersion.State.ACTIVE,
    }
