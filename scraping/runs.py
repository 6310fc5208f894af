"""Transactions of runs: asked for, scheduled, claimed, cancelled, taken over; the moderators' page hears of each change."""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Now

from game.database import Lock
from game.live.services import announce
from game.pool.models import Category
from scraping.catalogue import SOURCES
from scraping.models import Feed, Schedule, ScrapeRun, SourceStatus, Visit
from scraping.rules import PLATFORMS

TOPIC = "scraping"
# The room of the list; every run has one of its own, whose key is its id.
ALL_RUNS = "all"
# Sources that cost money by the post.
PRICED = frozenset(name for name, entry in SOURCES.items() if entry.price_of_post)
UNFINISHED = (ScrapeRun.State.WAITING, ScrapeRun.State.RUNNING)
# Of the locks that say which process works on which run: "scr" in ASCII.
_LOCK = 0x736372
# Somebody may just be looking whether a lock is held.
LOCK_TRIES, LOCK_PAUSE_SECONDS = 5, 0.1

_State = ScrapeRun.State


class ScrapeError(Exception):
    """A run can't be started or go on; the message says why, in one line."""


def start_run(
    *,
    category: Category,
    by: User | None,
    task: str = ScrapeRun.Task.SCRAPE,
    sources: Iterable[str] = (),
    cap: int | None = None,
    budget: Decimal | None = None,
    here: bool = False,
) -> ScrapeRun:
    """Ask for a run, which a worker takes within seconds unless it is claimed `here`; ScrapeError where it can't come to anything.

    `sources` limits it to some, `cap` to so many posts per account, `budget` to so many dollars.
    """
    names = check_sources(sources)
    feeds = Feed.objects.filter(category=category, listed=True)
    if task == ScrapeRun.Task.SCRAPE:
        mine = feeds.filter(source__in=names) if names else feeds
        if not mine.exists():
            where = f" at {', '.join(names)}" if names else ""
            raise ScrapeError(f"{category.slug} lists no accounts{where}: add handles, as in bluesky:name.bsky.social.")
        _check_budget(set(mine.values_list("source", flat=True)), budget)
    if here and category.pk in _held_locks():
        other = ScrapeRun.objects.filter(category=category, state=_State.RUNNING).first()
        raise ScrapeError(f"{other or category.slug} is at work: wait for it, or cancel it.")
    with transaction.atomic():
        if waiting := ScrapeRun.objects.filter(category=category, task=task, state=_State.WAITING).first():
            raise ScrapeError(f"{waiting} is waiting already: wait for it, or cancel it.")
        lease = Now() + timedelta(seconds=settings.SCRAPE_LEASE_SECONDS) if here else Now()
        run = ScrapeRun.objects.create(
            category=category, task=task, sources=names, asked_by=by, here=here, cap=cap, budget=budget, lease_until=lease
        )
        announce_on_commit(run.pk)
    return run


def check_sources(sources: Iterable[str]) -> list[str]:
    """Return the names of sources in order, each once; raises ScrapeError for what is none."""
    names = sorted(set(sources))
    for name in names:
        if name not in PLATFORMS:
            raise ScrapeError(f"{name!r} is no source: use {', '.join(sorted(PLATFORMS))}.")
    return names


def _check_budget(sources: set[str], budget: Decimal | None) -> None:
    if priced := sorted(sources & PRICED):
        if budget is None:
            raise ScrapeError(f"{', '.join(priced)} costs money by the post: give a budget, in dollars.")
        if budget <= 0:
            raise ScrapeError("A budget must be above 0 dollars.")


def cancel_run(*, run_id: int, by: User | None) -> None:
    """Stop a run: one that waits at once, one that runs as soon as its process hears of it. One that is over stays."""
    who = f"cancelled by {by.get_username()}" if by else "cancelled"
    mine = ScrapeRun.objects.filter(pk=run_id, state__in=UNFINISHED)
    mine.filter(cancel_asked_at=None).update(cancel_asked_at=Now(), error=who)
    mine.filter(state=_State.WAITING).update(state=_State.CANCELLED, finished_at=Now())
    announce_on_commit(run_id)


def set_schedule(
    *,
    category: Category,
    daily: bool,
    sources: Iterable[str] = (),
    cap: int | None = None,
    budget: Decimal | None = None,
    now: datetime,
) -> None:
    """Have a category scraped and checked daily from `now` on, or no longer; raises ScrapeError."""
    if not daily:
        Schedule.objects.filter(category=category).delete()
    else:
        names = check_sources(sources)
        feeds = Feed.objects.filter(category=category, listed=True)
        _check_budget(set((feeds.filter(source__in=names) if names else feeds).values_list("source", flat=True)), budget)
        values = {"sources": names, "cap": cap, "budget": budget, "next_at": now}
        Schedule.objects.update_or_create(category=category, defaults=values, create_defaults=values)
    transaction.on_commit(lambda: announce(topic=TOPIC, keys=[ALL_RUNS]))


@transaction.atomic
def start_due(*, now: datetime) -> list[str]:
    """Start what the schedules have due: a scrape and a check each; return what could not be started, a line each.

    A day that was missed is not made up for.
    """
    problems = []
    for schedule in Schedule.objects.select_for_update(skip_locked=True).filter(next_at__lte=now).select_related("category"):
        for task in ScrapeRun.Task.values:
            try:
                with transaction.atomic():
                    start_run(
                        category=schedule.category,
                        by=None,
                        task=task,
                        sources=schedule.sources,
                        cap=schedule.cap,
                        budget=schedule.budget,
                    )
            except ScrapeError as error:
                problems.append(f"{schedule.category.slug}: {error}")
        schedule.next_at += timedelta(days=1) * ((now - schedule.next_at) // timedelta(days=1) + 1)
        schedule.save(update_fields=["next_at"])
    return problems


def forget_ban(*, name: str) -> None:
    """Let a source be asked again before its rest is over."""
    SourceStatus.objects.filter(pk=name).update(banned_at=None, rests_until=None, reason="")
    transaction.on_commit(lambda: announce(topic=TOPIC, keys=[ALL_RUNS]))


def announce_on_commit(run_id: int) -> None:
    """Tell who watches a run, or the list of runs, that it changed."""
    transaction.on_commit(lambda: announce(topic=TOPIC, keys=[str(run_id), ALL_RUNS]))


class Claim:
    """The right to work on a run, for as long as this process keeps its connection: a lock in PostgreSQL, gone with whoever held it."""

    def __init__(self, run: ScrapeRun, lock: Lock) -> None:
        self.run, self._lock = run, lock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()

    def is_cancelled(self) -> bool:
        """Say whether somebody wants the run to end."""
        return ScrapeRun.objects.filter(pk=self.run.pk, cancel_asked_at__isnull=False).exists()

    def update(self, **changes: Any) -> None:
        """Write down how the run stands, and tell who watches."""
        ScrapeRun.objects.filter(pk=self.run.pk, state=_State.RUNNING).update(**changes)
        self.run.refresh_from_db()
        announce_on_commit(self.run.pk)

    def add_note(self, line: str) -> None:
        """Write down what else is worth knowing, once."""
        if line not in self.run.note.splitlines():
            self.update(note=f"{self.run.note}\n{line}".strip())

    def finish(self, state: str, **changes: Any) -> None:
        """End the run, and what it had begun or meant to begin."""
        unfinished = Visit.objects.filter(run=self.run, state__in=(Visit.State.WAITING, Visit.State.RUNNING))
        unfinished.update(state=Visit.State.STOPPED, note="not finished", finished_at=Now())
        self.update(state=state, finished_at=Now(), **changes)

    def give_back(self) -> None:
        """Let the run wait for the next worker."""
        self.update(state=_State.WAITING, lease_until=Now())


def _held_locks() -> set[int]:
    """Return the ids of the categories that somebody is at work on, without touching their locks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s AND objsubid = 2"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [_LOCK],
        )
        return {row[0] for row in cursor.fetchall()}


def put_back(*, run: ScrapeRun) -> None:
    """Undo start_run for a run that found another one of its category at work."""
    ScrapeRun.objects.filter(pk=run.pk, state=_State.WAITING, started_at=None).delete()
    announce_on_commit(run.pk)


def claim_run(*, run_id: int) -> Claim | None:
    """Claim a run that waits or whose process has died; None if it is over, or another one of its category is at work."""
    run = ScrapeRun.objects.get(pk=run_id)
    for _ in range(LOCK_TRIES):
        if (lock := Lock(_LOCK, run.category_id)).won:
            break
        time.sleep(LOCK_PAUSE_SECONDS)
    else:
        return None
    # Whoever holds the lock of a category knows that no run of it is at work.
    _let_go(ScrapeRun.objects.filter(category=run.category_id, state=_State.RUNNING).exclude(pk=run_id))
    free = Q(state=_State.WAITING, cancel_asked_at=None) | Q(state=_State.RUNNING)
    try:
        won = ScrapeRun.objects.filter(free, pk=run_id).update(state=_State.RUNNING, started_at=Coalesce("started_at", Now()))
    except IntegrityError:
        won = 0
    if not won:
        lock.release()
        return None
    run.refresh_from_db()
    announce_on_commit(run.pk)
    return Claim(run, lock)


def find_run_to_go_on(*, category: Category, task: str) -> ScrapeRun | None:
    """Return the run that a command of this category left when it died; None if there is none, or one is at work."""
    mine = ScrapeRun.objects.filter(category=category, task=task, here=True, state__in=UNFINISHED, cancel_asked_at=None)
    run = mine.order_by("-pk").first()
    return None if run is None or category.pk in _held_locks() else run


def _let_go(dead: QuerySet[ScrapeRun]) -> None:
    """Let runs whose process died wait for a worker; those of a command end, since it may have been ended on purpose."""
    told = "its process ended; what is done is kept, and the same command goes on there"
    dead.filter(here=True).update(state=_State.FAILED, finished_at=Now(), error=told)
    dead.filter(here=False).update(state=_State.WAITING, lease_until=Now())


def take_back_abandoned() -> list[int]:
    """Let runs whose process died wait for another one, end those that were cancelled; return the runs to send to a worker."""
    # Read in this order: a run that begins meanwhile is not among them, one that goes on holds its lock by then.
    running = list(ScrapeRun.objects.filter(state=_State.RUNNING))
    held = _held_locks() if running else set()
    for run in running:
        if run.category_id not in held and (lock := Lock(_LOCK, run.category_id)).won:
            left = ScrapeRun.objects.filter(pk=run.pk, state=_State.RUNNING)
            left.filter(cancel_asked_at__isnull=False).update(state=_State.CANCELLED, finished_at=Now())
            _let_go(left)
            announce_on_commit(run.pk)
            lock.release()
    _let_go(ScrapeRun.objects.filter(here=True, state=_State.WAITING, lease_until__lte=Now()))
    with transaction.atomic():
        lost = ScrapeRun.objects.select_for_update(skip_locked=True).filter(state=_State.WAITING, lease_until__lte=Now())
        # One of a category at a time, in the order in which they were asked for.
        busy = ScrapeRun.objects.filter(state=_State.RUNNING).values("category")
        first: dict[int, int] = {}
        for pk, category_id in lost.exclude(category__in=busy).order_by("pk").values_list("pk", "category"):
            first.setdefault(category_id, pk)
        lease = Now() + timedelta(seconds=settings.SCRAPE_LEASE_SECONDS)
        ScrapeRun.objects.filter(pk__in=first.values()).update(lease_until=lease)
    return sorted(first.values())
