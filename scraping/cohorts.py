"""Who follows the seeds of some camps: asked page by page, counted in PostgreSQL, forgotten after a while.

The method is BOT Baby's: a political camp is those who follow most of its best known accounts.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import F

from scraping.manners import Manners
from scraping.models import Cohort, Seed
from scraping.optouts import OptOuts, read_opt_outs
from scraping.rules import PLATFORMS
from scraping.sources.base import Account, AccountGone, FollowerPage, State

# Lists of followers are data about people, wanted for as long as somebody tries another --min-overlap.
DAYS_KEPT = 30
# What X gives at once; where a follower costs money, a page costs so many times as much.
FOLLOWERS_OF_A_PAGE = 1_000
# Rows that the counting process holds at a time.
CHUNK = 2_000


class CohortError(Exception):
    """What keeps a cohort from being found; the message says what to do, in one line."""


class BudgetSpent(CohortError):
    """The next request could cost more than is left."""


@dataclass(slots=True)
class Purse:
    """What finding a cohort may cost, and has cost so far, in dollars."""

    cohort: Cohort
    budget: Decimal | None = None
    spent: Decimal = field(default_factory=Decimal)

    def reserve(self, dollars: float) -> None:
        """Raise BudgetSpent if `dollars` more are more than was allowed."""
        if dollars and self.budget is not None and self.spent + Decimal(str(dollars)) > self.budget:
            raise BudgetSpent(
                f"${self.spent:.2f} of ${self.budget:.2f} are spent, and the next request may cost ${dollars:.2f}."
                " What was read is kept: the same command goes on there, with a --budget of its own."
            )

    def pay(self, dollars: float) -> None:
        """Write down what a request cost."""
        if dollars:
            self.spent += Decimal(str(dollars))
            Cohort.objects.filter(pk=self.cohort.pk).update(spent=F("spent") + Decimal(str(dollars)))


def begin_cohort(*, source: str, camps: Mapping[str, Sequence[str]], most: int | None, resume: bool) -> Cohort:
    """Return the cohort of these seeds: the one that was interrupted, or with `resume` finished, else a new one.

    `camps` holds the handles of each camp's seeds, `most` caps the followers read of one seed. Raises CohortError.
    """
    asked = json.dumps([source, most, [[camp, sorted(handles)] for camp, handles in camps.items()]])
    key = hashlib.sha256(asked.encode()).hexdigest()
    with transaction.atomic():
        earlier = Cohort.objects.select_for_update().filter(key=key).order_by("-pk").first()
        if earlier and (resume or earlier.finished_at is None):
            return earlier
        if earlier:
            drop_cohort(cohort=earlier)
        cohort = Cohort.objects.create(source=source, camps=list(camps), key=key, most=most)
        seeds = [Seed(cohort=cohort, camp=camp, handle=handle) for camp, handles in camps.items() for handle in handles]
        if twice := {seed.handle for seed in seeds if sum(other.handle == seed.handle for other in seeds) > 1}:
            raise CohortError(f"{min(twice)} is a seed of two camps: leave it out of one.")
        ids = [seed.pk for seed in Seed.objects.bulk_create(seeds)]
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {table_of(cohort)} PARTITION OF scraping_follower FOR VALUES IN ({', '.join(map(str, ids))})")
    return cohort


def table_of(cohort: Cohort) -> str:
    """Return the name of the partition that holds the followers of a cohort's seeds."""
    return f"scraping_follower_{cohort.pk}"


def drop_cohort(*, cohort: Cohort) -> None:
    """Forget a cohort, its seeds and who follows them."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {table_of(cohort)}")
        cohort.delete()


def drop_old_cohorts(*, now: datetime) -> int:
    """Forget the cohorts that began DAYS_KEPT days ago or earlier, and return how many they were."""
    old = list(Cohort.objects.filter(created_at__lte=now - timedelta(days=DAYS_KEPT)))
    for cohort in old:
        drop_cohort(cohort=cohort)
    return len(old)


def collect_followers(*, cohort: Cohort, manners: Manners, purse: Purse, tell: Callable[[Seed], None] = lambda seed: None) -> None:
    """Read the followers of every seed that is not read yet; `tell` is given the seed after each page.

    Killed anywhere, the next call goes on at the page that was not stored. Raises what `manners.ask` does, and CohortError.
    """
    _find_seeds(cohort, manners, purse)
    for seed in cohort.seeds.filter(state__in=[Seed.State.WAITING, Seed.State.READING]):
        try:
            _read_seed(cohort, seed, manners, purse, tell)
        except AccountGone as gone:
            _skip(seed, str(gone))
        tell(seed)


def _find_seeds(cohort: Cohort, manners: Manners, purse: Purse) -> None:
    """Look up the seeds' ids, and leave out those that can't be asked for or don't want to be."""
    abilities, outs = manners.abilities, read_opt_outs()
    unknown = list(cohort.seeds.filter(account_id="", state=Seed.State.WAITING))
    for start in range(0, len(unknown), abilities.accounts_at_once):
        batch = unknown[start : start + abilities.accounts_at_once]
        accounts = look_up(manners, purse, [seed.handle for seed in batch], by_id=False)
        with transaction.atomic():
            for seed, account in zip(batch, accounts, strict=True):
                if reason := why_not(PLATFORMS[cohort.source], account, seed.handle, outs):
                    _skip(seed, reason)
                else:
                    seed.account_id = account.id
                    seed.save(update_fields=["account_id"])


def look_up(manners: Manners, purse: Purse, names: Sequence[str], *, by_id: bool) -> list[Account]:
    """Return the accounts of some handles, or ids, and pay for those that exist; raises BudgetSpent."""
    price = manners.abilities.price_of_account
    purse.reserve(price * len(names))
    accounts = manners.ask(lambda source: source.resolve_ids(names) if by_id else source.resolve(names))
    purse.pay(price * sum(account.state != State.MISSING for account in accounts))
    return accounts


def why_not(platform: str, account: Account, handle: str, outs: OptOuts) -> str:
    """Return why an account is left alone; nothing if it need not be."""
    if outs.holds(platform, handle, account.id) or outs.holds(platform, account.handle):
        return "opted out"
    return "" if account.state == State.OPEN else str(account.state)


def _skip(seed: Seed, reason: str) -> None:
    seed.state, seed.note = Seed.State.SKIPPED, reason[:300]
    seed.save(update_fields=["state", "note"])


def _read_seed(cohort: Cohort, seed: Seed, manners: Manners, purse: Purse, tell: Callable[[Seed], None]) -> None:
    account = Account(id=seed.account_id, handle=seed.handle)
    dearest = manners.abilities.price_of_account * FOLLOWERS_OF_A_PAGE
    circle = Circle()
    while seed.state != Seed.State.DONE:
        purse.reserve(dearest)
        page = manners.ask(lambda source: source.fetch_followers(account, cursor=seed.cursor))
        note = "the pages went round in a circle" if circle.closes(page.cursor) else ""
        with transaction.atomic():
            store_page(cohort=cohort, seed=seed, page=page, note=note)
            purse.pay(page.cost)
        tell(seed)


class Circle:
    """Notices that cursors repeat, however long the circle, by remembering one of them (Brent 1980, doi:10.1007/BF01933190)."""

    def __init__(self) -> None:
        self.kept, self.steps, self.power = "", 0, 1

    def closes(self, cursor: str) -> bool:
        """Say whether this cursor is the one remembered; an empty one never is."""
        if cursor and cursor == self.kept:
            return True
        self.steps += 1
        if self.steps == self.power:
            self.kept, self.steps, self.power = cursor, 0, self.power * 2
        return False


def store_page(*, cohort: Cohort, seed: Seed, page: FollowerPage, note: str = "") -> None:
    """Store a page of a seed's followers and where the next one is, together or not at all; raises CohortError.

    `note` says why no further page is wanted, if none is.
    """
    room = len(page.ids) if cohort.most is None else cohort.most - seed.followers
    ids = page.ids[:room]
    capped = cohort.most is not None and seed.followers + len(ids) >= cohort.most and bool(page.cursor or len(page.ids) > room)
    note = note or (f"only the first {cohort.most:,} followers" if capped else "")
    state = Seed.State.DONE if note or not page.cursor else Seed.State.READING
    with transaction.atomic():
        with connection.cursor() as cursor, cursor.copy(f"COPY {table_of(cohort)} (seed, follower) FROM STDIN") as copy:
            for follower in ids:
                copy.write_row((seed.pk, follower))
        changed = {"cursor": page.cursor, "state": state, "followers": seed.followers + len(ids), "note": note}
        if not Seed.objects.filter(pk=seed.pk, cursor=seed.cursor, followers=seed.followers).update(**changed):
            raise CohortError("Another find_cohort is reading the same seeds: let that one finish.")
    for name, value in changed.items():
        setattr(seed, name, value)


@dataclass(frozen=True, slots=True)
class Overlap:
    """An account, by its id, and how many seeds of each camp it follows, in the order of `cohort.camps`."""

    follower: str
    counts: tuple[int, ...]


def count_overlaps(*, cohort: Cohort, least: int) -> Iterator[Overlap]:
    """Yield the accounts that follow `least` or more seeds of one camp, the most of one camp first, then by id.

    One query, whose rows come as they are asked for: this process never holds more than CHUNK of them.
    """
    camps = [list(cohort.seeds.filter(camp=camp).values_list("pk", flat=True)) for camp in cohort.camps]
    # A follower who came on two pages counts once.
    counts = [f"count(DISTINCT seed) FILTER (WHERE seed IN ({', '.join(map(str, ids))}))" for ids in camps]
    query = f"""
        SELECT follower, {", ".join(counts)}
          FROM {table_of(cohort)}
         GROUP BY follower
        HAVING greatest({", ".join(counts)}) >= %s
         ORDER BY greatest({", ".join(counts)}) DESC, follower
    """  # noqa: S608 - numbers of ours
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(query, [least])
        while rows := cursor.fetchmany(CHUNK):
            for follower, *overlaps in rows:
                yield Overlap(follower, tuple(overlaps))
