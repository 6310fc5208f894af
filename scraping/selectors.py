"""What the scraping pages read. Nothing here writes."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Sum

from game.pool.models import Category, Tweet
from scraping import words
from scraping.catalogue import SOURCES, missing_for
from scraping.models import Feed, RawPost, Schedule, ScrapeRun, SourceStatus, Visit
from scraping.runs import UNFINISHED

SHOWN_RUNS = 5
EARLIER_RUNS = 40
# Of one run: more accounts than that are on the page of their category.
SHOWN_VISITS = 200
# After so long it is odd that no worker has taken a run.
ODD_WAIT = timedelta(seconds=30)

_State = ScrapeRun.State
_OVER = (Visit.State.DONE, Visit.State.STOPPED, Visit.State.SKIPPED)
# A run whose accounts were not all read to their end, for templates that name its state.
_IN_PART = Exists(Visit.objects.filter(run=OuterRef("pk"), state=Visit.State.STOPPED))
_SUMS = {name: Sum(name, default=0) for name in ("pages", "posts", "new", "kept")}


def read_list(*, now: datetime) -> dict[str, Any]:
    """Return everything that the list shows and that may change: runs, sources, categories."""
    return {**read_runs(now=now), "sources": read_sources(now=now), "categories": read_categories()}


def read_runs(*, now: datetime) -> dict[str, Any]:
    """Return the runs for the list: those that go on and the newest ones described, and the older ones."""
    runs = ScrapeRun.objects.select_related("category").annotate(in_part=_IN_PART).order_by("-pk")
    going = list(runs.filter(state__in=UNFINISHED))
    over = list(runs.exclude(state__in=UNFINISHED)[: SHOWN_RUNS + EARLIER_RUNS])
    shown = max(SHOWN_RUNS - len(going), 0)
    described = going + over[:shown]
    counts = _count_visits(described)
    return {
        "runs": [describe_run(run, counts[run.pk], _running_beside(run, going), now=now) for run in described],
        "earlier": over[shown:],
    }


def read_run(run_id: int, *, now: datetime) -> dict[str, Any] | None:
    """Return everything that the page of one run shows and that may change; None if there is no such run."""
    run = ScrapeRun.objects.select_related("category", "asked_by").filter(pk=run_id).first()
    if run is None:
        return None
    rows = list(Visit.objects.filter(run=run).select_related("feed").order_by("feed__source", "feed__handle"))
    dropped: Counter[str] = Counter()
    for row in rows:
        dropped.update(row.dropped)
    running = ScrapeRun.objects.filter(category=run.category_id, state=_State.RUNNING) if run.state == _State.WAITING else ()
    return {
        **describe_run(run, _count_visits([run])[run.pk], next(iter(running), None), now=now),
        "visits": [describe_visit(row, run) for row in rows[:SHOWN_VISITS]] or [describe_visit(row, run) for row in _expected(run)],
        "unshown": max(len(rows) - SHOWN_VISITS, 0),
        "dropped": [(name, words.outcome(name), count) for name, count in dropped.most_common()],
        "notes": run.note.splitlines(),
    }


def describe_run(run: ScrapeRun, counts: dict[str, int], other: ScrapeRun | None, *, now: datetime) -> dict[str, Any]:
    """Say how far a run is; `counts` are sums over its visits, `other` is the run of its category that runs now."""
    # Of a run that was broken off all others stopped, wherever it left them.
    ended = counts["over"] - counts["stopped"]
    stopping = run.state == _State.RUNNING and run.cancel_asked_at is not None
    return {
        "run": run,
        "unfinished": run.state in UNFINISHED,
        "checks": run.task == ScrapeRun.Task.CHECK,
        "state": "stopping" if stopping else run.state,
        **counts,
        **({"over": ended, "stopped": counts["accounts"] - ended} if run.state in (_State.FAILED, _State.CANCELLED) else {}),
        "words": _count_words(run, counts),
        "spent": words.dollars(run.spent) if run.spent or run.budget is not None else "",
        "cap": run.cap or settings.SCRAPE_CAP,
        "budget": words.dollars(run.budget) if run.budget is not None else "",
        "sources": [SOURCES[name].title for name in run.sources if name in SOURCES],
        "waits_for": other if run.state == _State.WAITING else None,
        "waits_long": run.state == _State.WAITING and now - run.created_at > ODD_WAIT,
    }


def describe_visit(visit: Visit, run: ScrapeRun) -> dict[str, Any]:
    """Say what a run did with one account."""
    counts = {name: getattr(visit, name) for name in _SUMS}
    # One that its run left as it was, cancelled or failed.
    left = {Visit.State.RUNNING: Visit.State.STOPPED.value, Visit.State.WAITING: "not reached"} if run.state not in UNFINISHED else {}
    state = left.get(Visit.State(visit.state), visit.state)
    return {"visit": visit, "feed": visit.feed, "state": state, "words": _count_words(run, counts) if any(counts.values()) else ""}


def _count_words(run: ScrapeRun, counts: dict[str, int]) -> str:
    if run.task == ScrapeRun.Task.CHECK:
        return words.listed([f"{counts['posts']:,} asked about", f"{counts['new']:,} gone"])
    pages, posts = words.counted(counts["pages"], "page"), words.counted(counts["posts"], "post")
    return words.listed([pages, posts, f"{counts['new']:,} new", f"{counts['kept']:,} kept"])


def _expected(run: ScrapeRun) -> list[Visit]:
    """Return visits as they will be, of a run that has made none yet."""
    if run.state not in UNFINISHED:
        return []
    feeds = Feed.objects.filter(category=run.category_id, listed=True)
    if run.sources:
        feeds = feeds.filter(source__in=run.sources)
    return [Visit(run=run, feed=feed) for feed in feeds[:SHOWN_VISITS]]


def _count_visits(runs: Iterable[ScrapeRun]) -> dict[int, dict[str, int]]:
    """Return sums over the visits of each run: accounts, those that are over, stopped ones, and what they brought."""
    nothing = {"accounts": 0, "over": 0, "stopped": 0, **dict.fromkeys(_SUMS, 0)}
    counts = {run.pk: dict(nothing) for run in runs}
    accounts = {
        "accounts": Count("pk"),
        "over": Count("pk", filter=Q(state__in=_OVER)),
        "stopped": Count("pk", filter=Q(state=Visit.State.STOPPED)),
    }
    for run_id, *numbers in Visit.objects.filter(run__in=counts).values_list("run").annotate(**accounts, **_SUMS):
        counts[run_id] = dict(zip(nothing, numbers, strict=True))
    return counts


def _running_beside(run: ScrapeRun, runs: Iterable[ScrapeRun]) -> ScrapeRun | None:
    return next((other for other in runs if other.category_id == run.category_id and other.state == _State.RUNNING and other != run), None)


def read_sources(*, now: datetime) -> list[dict[str, Any]]:
    """Return every source: what it can do and costs, what it lacks here, and how we stand with it."""
    statuses = {status.name: status for status in SourceStatus.objects.all()}
    spans = _spans(now)

    def describe(name: str) -> dict[str, Any]:
        status = statuses.get(name)
        fresh = status and status.remaining is not None and status.resets_at is not None and status.resets_at > now
        return {
            "entry": SOURCES[name],
            "prices": [words.dollars(price) for price in (SOURCES[name].price_of_post, SOURCES[name].price_of_account) if price],
            "missing": missing_for(name),
            "status": status,
            "fresh": bool(fresh),
            "banned": bool(status and status.rests_until and status.rests_until > now),
            "posts": words.posts_in_hour(spans.get(name, []), now=now),
        }

    return [describe(name) for name in SOURCES]


def _spans(now: datetime) -> dict[str, list[words.Span]]:
    """Return by source the visits that worked within the last hour, as words.posts_in_hour wants them."""
    runs = ScrapeRun.objects.filter(Q(state=_State.RUNNING) | Q(finished_at__gte=now - words.HOUR))
    visits = Visit.objects.filter(run__in=list(runs.values_list("pk", flat=True)), started_at__isnull=False)
    spans: dict[str, list[words.Span]] = {}
    for visit in visits.select_related("feed"):
        assert visit.started_at is not None  # as asked for
        spans.setdefault(visit.feed.source, []).append(words.Span(visit.posts, visit.started_at, visit.finished_at))
    return spans


def read_categories() -> list[dict[str, Any]]:
    """Return every category that has accounts, with what they brought in all runs, the last run and the next one."""
    states: dict[int, Counter[str]] = {}
    for category_id, state, count in Feed.objects.filter(listed=True).values_list("category", "state").annotate(Count("pk")).order_by():
        states.setdefault(category_id, Counter())[state] = count
    scraped = Visit.objects.filter(run__task=ScrapeRun.Task.SCRAPE).values("run__category")
    brought = {row["run__category"]: row for row in scraped.annotate(seen=Sum("new"), kept=Sum("kept"))}
    newest = ScrapeRun.objects.values("category").annotate(last=Max("pk")).values_list("last", flat=True)
    last = ScrapeRun.objects.annotate(in_part=_IN_PART).in_bulk(newest)
    last_runs = {run.category_id: run for run in last.values()}
    schedules = Schedule.objects.in_bulk()

    def describe(category: Category) -> dict[str, Any]:
        accounts, counts = states.get(category.pk, Counter()), brought.get(category.pk)
        seen, kept = (counts["seen"] or 0, counts["kept"] or 0) if counts else (0, 0)
        return {
            "category": category,
            "accounts": accounts.total(),
            "states": count_states(accounts),
            "seen": seen,
            "kept": kept,
            "share": kept / seen * 100 if seen else None,
            "last": last_runs.get(category.pk),
            "schedule": schedules.get(category.pk),
        }

    feeds = Feed.objects.values("category")
    return [describe(category) for category in Category.objects.filter(Q(pk__in=feeds) | Q(pk__in=last_runs))]


def count_states(accounts: Counter[str]) -> str:
    """Say how many accounts are in which state, the open ones first."""
    order = sorted(Feed.State.values, key=lambda state: state != Feed.State.OPEN)
    return ", ".join(f"{accounts[state]:,} {state}" for state in order if accounts[state])


def read_outcomes(category: Category) -> dict[str, Any]:
    """Return what became of the posts of a category: how many in all, kept, gone, and dropped by reason."""
    rows = RawPost.objects.filter(feed__category=category).order_by().values_list("outcome").annotate(Count("pk"))
    counts = Counter(dict(rows))
    total, kept, gone = counts.total(), counts.pop(RawPost.KEPT, 0), counts.pop(RawPost.GONE, 0)
    return {
        "total": total,
        "kept": kept,
        "gone": gone,
        "dropped": [{"name": name, "words": words.outcome(name), "count": count} for name, count in counts.most_common()],
    }


def read_newest_runs(category: Category) -> "QuerySet[ScrapeRun]":
    """Return the newest runs of a category."""
    return category.scrape_runs.annotate(in_part=_IN_PART).order_by("-pk")[:SHOWN_RUNS]


def read_accounts(category: Category) -> "QuerySet[Feed]":
    """Return the accounts of a category, those on its list first."""
    return Feed.objects.filter(category=category).order_by("-listed", "source", "handle")


def count_tweets(feed: Feed, platform: str) -> int:
    """Return how many tweets of the pool an opt-out of this account would erase, as far as its name tells."""
    return Tweet.objects.filter(author__platform=platform, author__handle=feed.handle).exclude(text="").count()
