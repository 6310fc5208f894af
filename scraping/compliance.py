"""A check at work: asks the sources whether what was kept is still there, and erases what is not. Silence erases nothing."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Min, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from scraping import erasing
from scraping.cohorts import drop_old_cohorts
from scraping.manners import Manners, Stopped
from scraping.models import Feed, RawPost, ScrapeRun, Visit
from scraping.optouts import read_opt_outs
from scraping.retention import CHECKERS, TERMS
from scraping.rules import PLATFORMS
from scraping.runs import Claim, ScrapeError, announce_on_commit
from scraping.sources.base import Account, AccountGone, PostRef, SourceError, State
from scraping.store import spend
from scraping.visiting import Purse
from scraping.walk import ASK_SECONDS, Cancelled, Tell, check_rest, note_ban
from scraping.words import counted

REASONS = {
    State.MISSING: "account closed at the source",
    State.PROTECTED: "account made private",
    State.DECLINED: "account asks not to be read",
    State.SUSPENDED: erasing.SUSPENDED,
}


def carry_out_check(*, claim: Claim, should_stop: Callable[[], bool], tell: Tell) -> None:
    """Do a run that checks, from wherever it is, and end it; raises Stopped, Cancelled, ScrapeError.

    Every post that we hold words of is asked about once in a run, those first that were not seen for longest.
    """
    Check(claim, should_stop, tell).go()


class Check:
    """One run: platform after platform, account after account, batch after batch."""

    def __init__(self, claim: Claim, should_stop: Callable[[], bool], tell: Tell) -> None:
        self.claim, self.run, self._told_to_stop, self._tell_run = claim, claim.run, should_stop, tell
        self.purse = Purse(budget=self.run.budget, spent=self.run.spent)
        self.lines: deque[str] = deque()
        self.visits: dict[int, Visit] = {}
        self._cancelled = False
        self._asked_at = 0.0

    def go(self) -> None:
        """Check everything, and end the run."""
        drop_old_cohorts(now=timezone.now())
        erasing.complete_opt_outs(category=self.run.category)
        if pruned := erasing.prune_raw(category=self.run.category, now=timezone.now()):
            self.claim.add_note(f"{counted(pruned, 'raw post was', 'raw posts were')} pruned: kept long enough.")
        wanted = self.run.sources or list(PLATFORMS)
        try:
            for platform, checker in CHECKERS.items():
                if {source for source in wanted if PLATFORMS[source] == platform}:
                    self._check_platform(platform, checker)
        except Stopped:
            if self._cancelled:
                raise Cancelled from None
            raise
        self._end()

    def _should_stop(self) -> bool:
        if time.monotonic() - self._asked_at >= ASK_SECONDS:
            self._asked_at = time.monotonic()
            self._cancelled = self.claim.is_cancelled()
        return self._cancelled or self._told_to_stop()

    def _check_platform(self, platform: str, checker: str) -> None:
        with Manners(name=checker, should_stop=self._should_stop, say=self.lines.append) as manners:
            problem = ""
            try:
                check_rest(checker)
                if manners.abilities.deletions and (not self.run.sources or checker in self.run.sources):
                    erasing.adopt_imports(category=self.run.category, platform=platform)
            except SourceError as error:
                problem = str(error)
                if left := erasing.imported_tweets(category=self.run.category, platform=platform).count():
                    self.claim.add_note(f"{counted(left, 'imported tweet')} of {platform} could not be checked: {problem}")
            feeds = self._list_feeds(platform)
            at_once = 1 if problem else self._accounts_at_once(manners, feeds)
            for start in range(0, len(feeds), at_once):
                some = feeds[start : start + at_once]
                accounts = {} if problem else self._resolve(manners, some)
                for feed in some:
                    self._check_feed(manners, feed, accounts.get(feed.pk), problem)
            if manners.ban:
                note_ban(checker, manners.ban)

    def _list_feeds(self, platform: str) -> list[Feed]:
        """Return the feeds that we hold words of, and make their visits; those that this run has done are left out."""
        feeds = Feed.objects.filter(category=self.run.category, source__in=[one for one, its in PLATFORMS.items() if its == platform])
        if self.run.sources:
            feeds = feeds.filter(source__in=self.run.sources)
        kept = RawPost.objects.filter(erasing.with_content(), feed__in=feeds).values_list("feed")
        seen = dict(kept.annotate(seen=Min("checked_at")))
        # Whoever was not seen for longest comes first: a small budget may reach no others.
        found = sorted(feeds.filter(pk__in=seen), key=lambda feed: (seen[feed.pk], feed.pk))
        Visit.objects.bulk_create((Visit(run=self.run, feed=feed) for feed in found), ignore_conflicts=True)
        visits = Visit.objects.filter(run=self.run, feed__in=found).select_related("feed")
        self.visits |= {visit.feed_id: visit for visit in visits}
        return [feed for feed in found if self.visits[feed.pk].state not in (Visit.State.DONE, Visit.State.SKIPPED)]

    def _accounts_at_once(self, manners: Manners, feeds: Sequence[Feed]) -> int:
        """Return how many accounts are asked about before their posts: one, if the budget might not last for all that is due."""
        able, budget = manners.abilities, self.run.budget
        if not able.price_of_account:
            return able.accounts_at_once
        posts = sum(self._due(feed).count() for feed in feeds)
        most = Decimal(str(able.price_of_account)) * len(feeds) + Decimal(str(able.price_of_post)) * posts
        return able.accounts_at_once if budget is not None and budget - self.run.spent >= most else 1

    def _resolve(self, manners: Manners, feeds: Sequence[Feed]) -> dict[int, Account | SourceError]:
        """Ask what became of the accounts whose id is known: the posts of the others say it themselves."""
        known = [feed for feed in feeds if feed.account_id and feed.source == manners.name]
        able = manners.abilities
        found: dict[int, Account | SourceError] = {}
        for start in range(0, len(known), able.accounts_at_once):
            batch = known[start : start + able.accounts_at_once]
            try:
                found |= zip((feed.pk for feed in batch), self._ask_accounts(manners, [feed.account_id for feed in batch]), strict=True)
            except SourceError as error:
                found |= dict.fromkeys((feed.pk for feed in batch), error)
        return found

    def _ask_accounts(self, manners: Manners, ids: Sequence[str]) -> list[Account]:
        """Look accounts up, and those that are not open once more: what is erased does not come back."""
        first = self._ask_once(manners, ids)
        doubtful = [account_id for account_id, account in zip(ids, first, strict=True) if account.state != State.OPEN]
        second = dict(zip(doubtful, self._ask_once(manners, doubtful), strict=True)) if doubtful else {}
        return [second.get(account_id, account) for account_id, account in zip(ids, first, strict=True)]

    def _ask_once(self, manners: Manners, ids: Sequence[str]) -> list[Account]:
        price = manners.abilities.price_of_account
        self.purse.reserve(price * len(ids))
        accounts = manners.ask(lambda source: source.resolve_ids(ids))
        self._pay(price * len(ids), price * sum(account.state != State.MISSING for account in accounts))
        return accounts

    def _pay(self, reserved: float, cost: float) -> None:
        self.purse.settle(reserved, cost)
        if cost:
            spend(self.run.pk, cost)

    def _check_feed(self, manners: Manners, feed: Feed, account: Account | SourceError | None, problem: str) -> None:
        visit = self.visits[feed.pk]
        self._save(visit, Visit.State.RUNNING, started_at=Now())
        state, note = Visit.State.DONE, ""
        try:
            if problem:
                raise SourceError(problem)
            if isinstance(account, SourceError):
                raise account
            if read_opt_outs().holds(feed.platform, feed.handle, feed.account_id):
                state, note = Visit.State.SKIPPED, "opted out"
            elif account and account.state != State.OPEN:
                note = self._lose_account(feed, visit, account.state)
            else:
                self._ask_posts(manners, feed, visit)
                note = f"is called {account.handle} now" if account and account.handle.casefold() != feed.handle else ""
        except AccountGone as gone:
            note = self._lose_account(feed, visit, gone.state)
        except SourceError as error:
            state, note = Visit.State.STOPPED, str(error)
        if note:
            Feed.objects.filter(pk=feed.pk).update(note=note[:300])
        self._save(visit, state, note=note[:300], finished_at=Now())

    def _lose_account(self, feed: Feed, visit: Visit, state: State) -> str:
        """Erase, or withdraw, everything of an account that is not to be read any more; return what to note."""
        with transaction.atomic():
            Feed.objects.filter(pk=feed.pk).update(state=state.value)
            ids = list(RawPost.objects.filter(erasing.with_content(), feed=feed).values_list("source_id", flat=True))
            visit.posts += len(ids)
            if state == State.SUSPENDED and not TERMS[feed.platform].erase_suspended:
                visit.new += erasing.withdraw_suspended(feed=feed)
            else:
                erasing.erase_gone(platform=feed.platform, source_ids=ids, reason=REASONS[state])
                visit.new += len(ids)
            visit.save(update_fields=["posts", "new"])
        return REASONS[state]

    def _due(self, feed: Feed) -> QuerySet[RawPost]:
        return RawPost.objects.filter(erasing.with_content(), feed=feed, checked_at__lt=self.run.started_at).order_by("checked_at", "pk")

    def _ask_posts(self, manners: Manners, feed: Feed, visit: Visit) -> None:
        able = manners.abilities
        while posts := list(self._due(feed).values_list("source_id", flat=True)[: able.posts_at_once]):
            refs = [PostRef(source_id, feed.handle, feed.account_id) for source_id in posts]
            refs, gone = self._ask_gone(manners, refs)
            posts = [ref.source_id for ref in refs]
            # An answer that lacks a post by mistake must be so twice to cost it.
            if gone:
                _, gone = self._ask_gone(manners, [ref for ref in refs if ref.source_id in gone])
            with transaction.atomic():
                erasing.erase_gone(platform=feed.platform, source_ids=gone)
                RawPost.objects.filter(feed=feed, source_id__in=posts).update(checked_at=Now())
                visit.pages += 1
                visit.posts += len(posts)
                visit.new += len(gone)
                visit.save(update_fields=["pages", "posts", "new"])
                announce_on_commit(self.run.pk)
            self._tell()

    def _ask_gone(self, manners: Manners, refs: list[PostRef]) -> tuple[list[PostRef], set[str]]:
        """Ask about as many of these as can be paid for; return those, and the ids of which are gone."""
        price = manners.abilities.price_of_post
        asked = refs[: self.purse.reserve_posts(price, most=len(refs), least=1)]
        gone: set[str] | None = None
        try:
            gone = manners.ask(lambda source: source.find_gone(asked))
            return asked, gone
        finally:
            self._pay(price * len(asked), price * (len(asked) - len(gone)) if gone is not None else 0.0)

    def _save(self, visit: Visit, state: str, *, note: str = "", **moments: object) -> None:
        visit.state, visit.note = state, note
        Visit.objects.filter(pk=visit.pk).update(state=state, note=note, **moments)
        announce_on_commit(self.run.pk)
        self._tell()

    def _tell(self) -> None:
        visits = list(self.visits.values())
        while self.lines:
            self._tell_run(self.run, visits, self.lines.popleft())
        self._tell_run(self.run, visits, "")

    def _end(self) -> None:
        visits = self.visits.values()
        stopped = [visit for visit in visits if visit.state == Visit.State.STOPPED]
        if stopped and len(stopped) == len(visits) and not any(visit.pages for visit in stopped):
            raise ScrapeError("; ".join(sorted({visit.note for visit in stopped})))
        if stopped:
            their = "its" if len(visits) == 1 else "their"
            self.claim.add_note(f"{len(stopped)} of {counted(len(visits), 'account')} could not be checked to {their} end.")
        for line in overdue_lines(self.run):
            self.claim.add_note(line)
        self.claim.finish(ScrapeRun.State.DONE)


def overdue_lines(run: ScrapeRun) -> list[str]:
    """Return a line for each platform some of whose posts were not seen for longer than its terms, or its users, expect."""
    lines = []
    for platform, terms in TERMS.items():
        kept = RawPost.objects.filter(erasing.with_content(), feed__category=run.category)
        kept = kept.filter(feed__source__in=[source for source, its in PLATFORMS.items() if its == platform])
        if late := kept.filter(checked_at__lt=timezone.now() - timedelta(days=terms.check_days)).count():
            posts = counted(late, f"post of {platform} was", f"posts of {platform} were")
            lines.append(f"{posts} not seen at the source for more than {counted(terms.check_days, 'day')}.")
    return lines
