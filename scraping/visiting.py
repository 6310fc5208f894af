"""One feed, in one thread: resolve its account, ask for page after page, store each, and say what ended it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.db.models.functions import Now

from scraping.manners import Manners
from scraping.models import Feed, RawPost, Visit
from scraping.optouts import OptOuts
from scraping.sources.base import Account, AccountGone, Banned, NotConfigured, Page, SourceError, State
from scraping.store import OptedOut, spend, store_page


class BudgetSpent(SourceError):
    """What comes next could cost more than is left."""


class Purse:
    """A run's budget, shared by its threads: what might be spent is set aside before it is."""

    def __init__(self, *, budget: Decimal | None, spent: Decimal) -> None:
        self._left = float(budget - spent) if budget is not None else None
        self._lock = threading.Lock()

    def reserve(self, most: float) -> None:
        """Set aside what a request may cost, in dollars; raises BudgetSpent."""
        if most <= 0:
            return
        with self._lock:
            if self._left is None or self._left < most - 1e-9:
                raise BudgetSpent(f"the budget is used up: the next page may cost ${most:.2f}")
            self._left -= most

    def reserve_posts(self, price: float, *, most: int, least: int) -> int:
        """Set aside what up to `most` posts cost, and return how many; raises BudgetSpent if fewer than `least` can be paid."""
        if price <= 0:
            return most
        with self._lock:
            count = min(most, int((self._left or 0.0) / price + 1e-9))
            if count < least:
                raise BudgetSpent(f"the budget is used up: the next page costs ${least * price:.2f} or more")
            if self._left is not None:
                self._left -= count * price
        return count

    def settle(self, reserved: float, cost: float) -> None:
        """Put back what a request did not cost after all."""
        with self._lock:
            if self._left is not None:
                self._left += reserved - cost


@dataclass(slots=True)
class Errand:
    """What the threads of one source in one run share."""

    run_id: int
    manners: Manners
    purse: Purse
    cap: int
    opt_outs: OptOuts
    changed: Callable[[], None] = lambda: None
    accounts: dict[int, Account] = field(default_factory=dict)
    # Why nobody could say who an account is, by feed.
    unresolved: dict[int, str] = field(default_factory=dict)


def resolve_feeds(errand: Errand, feeds: Sequence[Feed]) -> None:
    """Ask who the accounts of these feeds are, as many as one request takes, and keep the answers in `errand.accounts`.

    Those of which no answer comes are in `errand.unresolved`: of many servers one is always down. Raises what holds for all.
    """
    able = errand.manners.abilities
    by_id: list[Feed] = []
    by_handle: list[Feed] = []
    for feed in feeds:
        if able.price_of_account and feed.account_id and feed.state == Feed.State.OPEN:
            # Known, and dear to ask about: if it is gone, its first page will say so.
            errand.accounts[feed.pk] = Account(feed.account_id, feed.handle, feed.name)
        else:
            (by_id if feed.account_id else by_handle).append(feed)
    for group, is_id in ((by_id, True), (by_handle, False)):
        for start in range(0, len(group), able.accounts_at_once):
            some = group[start : start + able.accounts_at_once]
            try:
                _resolve_some(errand, some, is_id=is_id)
            except (Banned, BudgetSpent, NotConfigured):
                raise
            except SourceError as error:
                errand.unresolved |= dict.fromkeys((feed.pk for feed in some), str(error))


def _resolve_some(errand: Errand, feeds: Sequence[Feed], *, is_id: bool) -> None:
    price = errand.manners.abilities.price_of_account * len(feeds)
    names = [feed.account_id if is_id else feed.handle for feed in feeds]
    errand.purse.reserve(price)
    accounts = errand.manners.ask(lambda source: source.resolve_ids(names) if is_id else source.resolve(names))
    cost = errand.manners.abilities.price_of_account * sum(bool(account.id) for account in accounts)
    errand.purse.settle(price, cost)
    if cost:
        spend(errand.run_id, cost)
    errand.accounts |= dict(zip((feed.pk for feed in feeds), accounts, strict=True))


def visit_feed(errand: Errand, feed: Feed, visit: Visit) -> None:
    """Fetch what is new of a feed, and write down in `visit` what came of it. Raises Stopped, with all pages so far stored."""
    _save(errand, visit, Visit.State.RUNNING, started_at=Now())
    try:
        note, state = _read(errand, feed, visit)
    except AccountGone as gone:
        _note_state(feed, gone.state)
        note, state = gone.state.value, Visit.State.SKIPPED
    except OptedOut:
        note, state = "opted out", Visit.State.SKIPPED
    except SourceError as error:
        note, state = str(error), Visit.State.STOPPED
        Feed.objects.filter(pk=feed.pk).update(note=note[:300], visited_at=Now())
    _save(errand, visit, state, note=note[:300], finished_at=Now())


def skip_visit(errand: Errand, visit: Visit, note: str) -> None:
    """Write down that a feed was not visited, and why."""
    _save(errand, visit, Visit.State.STOPPED, note=note[:300], finished_at=Now())


def _read(errand: Errand, feed: Feed, visit: Visit) -> tuple[str, str]:
    """Read a feed's pages; return what to note, and the visit's state."""
    if errand.opt_outs.holds(feed.platform, feed.handle, feed.account_id):
        raise OptedOut
    account = errand.accounts[feed.pk]
    if account.state != State.OPEN:
        raise AccountGone(account.state.value, account.state)
    _note_account(feed, account)
    newest = _newest_known(feed)
    seen: set[str] = set()
    while True:
        if visit.posts >= errand.cap:
            return f"{visit.posts:,} posts, as many as this run may take: goes on next time", Visit.State.STOPPED
        page = _ask(errand, account, feed.cursor, newest, errand.cap - visit.posts)
        # What leads back to where we have been has no end of its own.
        looped = page.cursor in seen or (page.cursor != "" and page.cursor == feed.cursor)
        seen.add(page.cursor)
        note = "its pages went in a circle" if looped else ""
        over = store_page(feed=feed, visit=visit, page=page, ended=looped or not page.cursor, note=note, account_id=account.id)
        errand.changed()
        if over:
            return note, Visit.State.DONE


def _ask(errand: Errand, account: Account, cursor: str, newest: str, wanted: int) -> Page:
    """Return the next page: no more posts than are wanted, or can be paid, as far as the source can be asked for fewer."""
    able = errand.manners.abilities
    wanted = max(min(wanted, able.page_size), able.least_page)
    most = errand.purse.reserve_posts(able.price_of_post, most=wanted, least=able.least_page)
    page = None
    try:
        page = errand.manners.ask(lambda source: source.fetch_posts(account, cursor=cursor, newer_than=newest, most=most))
        return page
    finally:
        errand.purse.settle(most * able.price_of_post, page.cost if page else 0.0)


def _newest_known(feed: Feed) -> str:
    """Return the source id of the newest post that an earlier pass brought."""
    known = RawPost.objects.filter(feed=feed, in_pass__lt=feed.passes).order_by("-posted_at", "pk")
    return known.values_list("source_id", flat=True).first() or ""


def _note_account(feed: Feed, account: Account) -> None:
    found = {"account_id": account.id, "name": account.name, "state": Feed.State.OPEN}
    if any(getattr(feed, name) != value for name, value in found.items()):
        for name, value in found.items():
            setattr(feed, name, value)
        Feed.objects.filter(pk=feed.pk).update(**found)


def _note_state(feed: Feed, state: State) -> None:
    Feed.objects.filter(pk=feed.pk).update(state=state.value, visited_at=Now(), note="")


def _save(errand: Errand, visit: Visit, state: str, *, note: str = "", **moments: object) -> None:
    visit.state, visit.note = state, note
    Visit.objects.filter(pk=visit.pk).update(state=state, note=note, **moments)
    errand.changed()
