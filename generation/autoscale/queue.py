"""What waits for a worker, and what the machine's worker is at: read from the jobs' own rows, by the database's clock."""

import re
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Max, Min, Q
from django.db.models.functions import Greatest, Now

from generation.duel.models import Column
from generation.models import Batch, Worker
from generation.workers import workers_seen

_JOBS = (Batch, Column)


@dataclass(frozen=True, slots=True)
class Queue:
    now: datetime
    # Since when the oldest job waits, be it for its first worker or, since that died, for another.
    waiting_since: datetime | None
    # Jobs that the machine's worker holds a lease on.
    running: int
    # When that worker last ended one.
    busy_at: datetime | None
    # When that worker was last seen, and when it started; none once it has left.
    seen_at: datetime | None
    started_at: datetime | None


def read_queue(*, workers: str) -> Queue:
    """Look at what waits and at the workers of this name, in which * stands for anything."""
    name = _regex(workers)
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        now = cursor.fetchone()[0]
    waiting: list[datetime] = []
    ended: list[datetime] = []
    running = 0
    for table in _JOBS:
        jobs = table._default_manager.all()
        held = Q(state="running", lease_until__gte=Now())
        running += jobs.filter(held, worker__regex=name).count()
        found = jobs.filter(state__in=("pending", "running")).aggregate(
            # A second try waits since the first began: what became of that nobody knows sooner.
            pending=Min(Greatest("created_at", "started_at"), filter=Q(state="pending")),
            abandoned=Min("lease_until", filter=Q(state="running") & ~held),
        )
        waiting += filter(None, found.values())
        last = jobs.filter(worker__regex=name, finished_at__isnull=False).order_by("-pk").values_list("finished_at", flat=True)
        ended += filter(None, last[:1])
    there = Worker.objects.filter(name__regex=name).aggregate(seen_at=Max("seen_at"), started_at=Max("started_at"))
    return Queue(now, min(waiting, default=None), running, max(ended, default=None), **there)


def names_seen(*, workers: str) -> list[str]:
    """Return Celery's names of the workers of this name that live."""
    return list(workers_seen().filter(name__regex=_regex(workers)).values_list("name", flat=True))


def _regex(workers: str) -> str:
    return f"^{'.*'.join(re.escape(part) for part in workers.split('*'))}$"
