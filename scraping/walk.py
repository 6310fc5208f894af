"""A scrape at work: every feed of a category in a thread of its source's, page by page, each stored before the next is asked for."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

from scraping.manners import Manners, Stopped
from scraping.models import Feed, ScrapeRun, SourceStatus, Visit
from scraping.optouts import read_opt_outs
from scraping.runs import Claim, ScrapeError, announce_on_commit
from scraping.sources.base import Banned, SourceError
from scraping.visiting import Errand, Purse, resolve_feeds, skip_visit, visit_feed

LOOK_SECONDS = 0.2
# How often the database is asked whether somebody cancelled.
ASK_SECONDS = 1.0

# Given a run, its visits (with their feeds) and a line worth saying, empty if none.
Tell = Callable[[ScrapeRun, Sequence[Visit], str], None]


class Cancelled(Exception):
    """Somebody cancelled the run."""


class Walk:
    """The threads of one run, and whoever watches over them."""

    def __init__(self, claim: Claim, should_stop: Callable[[], bool], tell: Tell) -> None:
        self.claim, self.should_stop, self.tell = claim, should_stop, tell
        self.run = claim.run
        self.halt = threading.Event()
        self.changed = threading.Event()
        self.lines: deque[str] = deque()
        self.visits: dict[int, Visit] = {}
        self.manners: dict[str, Manners] = {}
        self.asked_at = 0.0

    def go(self) -> None:
        """Visit every feed that is not done yet, and end the run; raises Stopped, Cancelled, and what a thread did not expect."""
        feeds = defaultdict(list)
        for feed in self._list_feeds():
            feeds[feed.source].append(feed)
        purse = Purse(budget=self.run.budget, spent=self.run.spent)
        with ThreadPoolExecutor(max(len(feeds), 1), thread_name_prefix="source") as pool:
            try:
                works = [pool.submit(self._work, source, mine, purse) for source, mine in feeds.items()]
                while wait_for(works, timeout=LOOK_SECONDS).not_done:
                    self._look()
            finally:
                self.halt.set()
        self._tell()
        for work in works:
            work.result()
        self._end()

    def _list_feeds(self) -> list[Feed]:
        feeds = Feed.objects.filter(category=self.run.category, listed=True).select_related("category")
        if self.run.sources:
            feeds = feeds.filter(source__in=self.run.sources)
        # Unfinished passes first, then those not seen for longest.
        found = list(feeds.order_by("-passing", "visited_at", "pk"))
        Visit.objects.bulk_create((Visit(run=self.run, feed=feed) for feed in found), ignore_conflicts=True)
        self.visits = {visit.feed_id: visit for visit in Visit.objects.filter(run=self.run, feed__in=found).select_related("feed")}
        over = (Visit.State.DONE, Visit.State.SKIPPED)
        return [feed for feed in found if self.visits[feed.pk].state not in over]

    def _work(self, source: str, feeds: list[Feed], purse: Purse) -> None:
        """Resolve the accounts of a source, and visit its feeds beside each other: in a thread of the source's."""
        try:
            with Manners(name=source, should_stop=self.halt.is_set, say=self.lines.append) as manners:
                self.manners[source] = manners
                errand = Errand(
                    run_id=self.run.pk,
                    manners=manners,
                    purse=purse,
                    cap=self.run.cap or settings.SCRAPE_CAP,
                    opt_outs=read_opt_outs(),
                    changed=self.changed.set,
                )
                self._resolve(errand, feeds)
                known = [feed for feed in feeds if feed.pk in errand.accounts]
                if known:
                    with ThreadPoolExecutor(manners.abilities.parallel, thread_name_prefix=source) as pool:
                        visits = [pool.submit(self._visit, errand, feed) for feed in known]
                    for visit in visits:
                        visit.result()
                self._note_ban(manners)
        finally:
            connection.close()

    def _resolve(self, errand: Errand, feeds: list[Feed]) -> None:
        """Find out who the accounts are; those that can't be are noted as not visited."""
        problem = ""
        try:
            check_rest(errand.manners.name)
            resolve_feeds(errand, feeds)
        except SourceError as error:
            problem = str(error)
        for feed in feeds:
            if feed.pk not in errand.accounts:
                skip_visit(errand, self.visits[feed.pk], errand.unresolved.get(feed.pk, problem))

    def _visit(self, errand: Errand, feed: Feed) -> None:
        try:
            with connection.cursor() as cursor:
                # A page that a power cut takes back takes its cursor back too: it is fetched again.
                cursor.execute("SET synchronous_commit = off")
            visit_feed(errand, feed, self.visits[feed.pk])
        finally:
            connection.close()

    def _note_ban(self, manners: Manners) -> None:
        if manners.ban:
            note_ban(manners.name, manners.ban)
            self.lines.append(f"{manners.ban}: left alone for {settings.SCRAPE_BAN_REST_HOURS} hours.")

    def _look(self) -> None:
        """See whether to go on, and tell what is new; raises Stopped, Cancelled."""
        if self.should_stop():
            raise Stopped
        if time.monotonic() - self.asked_at >= ASK_SECONDS:
            self.asked_at = time.monotonic()
            if self.claim.is_cancelled():
                raise Cancelled
            self._keep_limits()
        if self.changed.is_set() or self.lines:
            self.changed.clear()
            announce_on_commit(self.run.pk)
            self._tell()

    def _tell(self) -> None:
        visits = list(self.visits.values())
        while self.lines:
            self.tell(self.run, visits, self.lines.popleft())
        self.tell(self.run, visits, "")

    def _keep_limits(self) -> None:
        now = timezone.now()
        for name, manners in self.manners.items():
            if limit := manners.limit:
                resets_at = now + timedelta(seconds=limit.resets_in)
                values = {"remaining": limit.remaining, "limit": limit.limit, "resets_at": resets_at, "told_at": now}
                SourceStatus.objects.update_or_create(name=name, defaults=values)
                manners.limit = None

    def _end(self) -> None:
        self._keep_limits()
        visits = self.visits.values()
        stopped = [visit for visit in visits if visit.state == Visit.State.STOPPED]
        # An account that has more than the cap is as good as done.
        failed = [visit for visit in stopped if not visit.pages]
        if failed and len(failed) == len(visits):
            raise ScrapeError("; ".join(sorted({visit.note for visit in failed})))
        if stopped:
            of_all = f"{len(stopped)} of {len(visits)} accounts" if len(visits) > 1 else "The account"
            self.claim.add_note(f"{of_all} stopped before the end.")
        # Whoever cancelled came too late.
        self.claim.finish(ScrapeRun.State.DONE, error="")


def check_rest(source: str) -> None:
    """Raise Banned while a source that sent us away is to be left alone."""
    status = SourceStatus.objects.filter(pk=source, rests_until__gt=timezone.now()).first()
    if status and status.rests_until:
        raise Banned(f"{source} is left alone until {status.rests_until:%d %B %Y, %H:%M} UTC: {status.reason}")


def note_ban(source: str, reason: str) -> None:
    """Write down that a source sent us away, and until when it is left alone."""
    now = timezone.now()
    rest = timedelta(hours=settings.SCRAPE_BAN_REST_HOURS)
    values = {"banned_at": now, "rests_until": now + rest, "reason": reason[:300]}
    SourceStatus.objects.update_or_create(name=source, defaults=values)
