"""Many tweets at once: what that would do, doing it, and undoing the whole."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When

from game.moderation.models import Lease
from game.moderation.rules import goes_to_two
from game.moderation.search import Filters
from game.moderation.selectors import Item, read_items
from game.pool.models import BulkAction, Category, Stage, Status, Tweet
from game.pool.services import moderate_tweets, undo_bulk_action

SAMPLES = 10
_OTHERS = "Other tweets match now than in the preview: look at it again."
# Said of what has the status already.
_STAYS = "stays"


class BulkRefused(Exception):
    """A bulk action that was not done; its message is one line for whoever asked."""


class Left(StrEnum):
    """Why a tweet that was chosen is left as it is."""

    DISPUTED = "disputed"
    SECOND = "second"
    DRAWN = "drawn"
    LEASED = "leased"


@dataclass(frozen=True, slots=True)
class Preview:
    """What filters select: how many, of which status; how many would change, some of them, what is left out; a token for `apply`."""

    count: int
    by_status: dict[str, int]
    changes: int
    left: dict[Left, int]
    samples: list[Item]
    token: str


@dataclass(frozen=True, slots=True)
class _Selection:
    """What filters choose, and which of it is left out: each tweet by the first condition that it meets."""

    after: str
    chosen: Q
    left: dict[Left, Q]

    @property
    def changing(self) -> Q:
        changing = self.chosen & ~Q(status=self.after)
        for condition in self.left.values():
            changing &= ~condition
        return changing

    def why(self) -> Case:
        """Return what names, of each chosen tweet, why it is left out; nothing of those that would change."""
        stays = When(status=self.after, then=Value(_STAYS))
        return Case(stays, *(When(condition, then=Value(str(why))) for why, condition in self.left.items()), default=Value(""))


def preview(*, filters: Filters, by: User, after: str, now: datetime, blind: bool = True) -> Preview:
    """Say what giving these tweets the status `after` would do. What is withdrawn or erased is left out: it stays so."""
    selection = _select(filters, by, after, now)
    rows = _weigh(selection)
    by_status: dict[str, int] = {}
    left: dict[Left, int] = {}
    for row in rows:
        by_status[row.status] = by_status.get(row.status, 0) + row.count
        if row.why not in ("", _STAYS):
            left[Left(row.why)] = left.get(Left(row.why), 0) + row.count
    changing = Tweet.objects.filter(selection.changing).order_by("-pk")
    samples = read_items(list(changing.values_list("pk", flat=True)[:SAMPLES]), blind=blind)
    return Preview(sum(by_status.values()), by_status, _changes(rows), left, samples, _token(rows))


def _select(filters: Filters, by: User, after: str, now: datetime) -> _Selection:
    chosen = filters.to_q() & ~Q(status=Status.WITHDRAWN) & ~Q(text="")
    left: dict[Left, Q] = {}
    # To take a tweet out of play is one person's decision; whether it is fit for play may be that of two.
    if after in (Status.APPROVED, Status.REJECTED):
        left[Left.DISPUTED] = Q(status=Status.PENDING, stage=Stage.DISPUTED)
        left[Left.SECOND] = Q(status=Status.PENDING, stage=Stage.SECOND)
        if drawn := _drawn(chosen):
            left[Left.DRAWN] = Q(pk__in=drawn)
    left[Left.LEASED] = Q(Exists(Lease.objects.filter(tweet=OuterRef("pk"), until__gt=now).exclude(by=by)))
    return _Selection(after, chosen, left)


def _drawn(chosen: Q) -> list[int]:
    """Return the chosen tweets that nobody has looked at and two people are to decide on. The lot is no SQL, so it is drawn here."""
    shares = dict(Category.objects.filter(double_share__gt=0).values_list("pk", "double_share"))
    if not shares:
        return []
    fresh = Tweet.objects.filter(chosen, category__in=shares, status=Status.PENDING, stage=Stage.FRESH)
    rows = fresh.values_list("pk", "category_id", "fingerprint").iterator()
    return [pk for pk, category, fingerprint in rows if goes_to_two(bytes(fingerprint), shares[category])]


@dataclass(frozen=True, slots=True)
class _Weight:
    """How many chosen tweets have one status and are left out for one reason, and the sum of their hashes."""

    status: str
    why: str
    count: int
    total: int


def _weigh(selection: _Selection) -> list[_Weight]:
    tweets: QuerySet[Tweet] = Tweet.objects.filter(selection.chosen)
    sql, parameters = tweets.annotate(why=selection.why()).order_by().values("id", "status", "why").query.sql_with_params()
    with connection.cursor() as cursor:
        # The order does not matter to a sum of hashes.
        cursor.execute(
            f"SELECT status, why, count(*), sum(hashint8extended(id, 0)) FROM ({sql}) AS chosen GROUP BY 1, 2 ORDER BY 1, 2",  # noqa: S608 (the ORM's)
            parameters,
        )
        return [_Weight(*row) for row in cursor.fetchall()]


def _changes(rows: list[_Weight]) -> int:
    return sum(row.count for row in rows if not row.why)


def _token(rows: list[_Weight]) -> str:
    """Return what any change of those that would change changes, be it only of what they are before."""
    return "-".join(f"{row.status}.{row.count}.{row.total}" for row in rows if not row.why)


@transaction.atomic
def apply(*, by: User, filters: Filters, after: str, reason: str = "", token: str, now: datetime) -> BulkAction:
    """Give the tweets of a preview that would change the status `after`. Its events say which they were.

    What is left out is that of the preview. Raises BulkRefused if `token` is not that of what would change now.
    """
    selection = _select(filters, by, after, now)
    rows = _weigh(selection)
    if _token(rows) != token:
        raise BulkRefused(_OTHERS)
    action = BulkAction.objects.create(by=by, filters=filters.spell(), after=after, reason=reason)
    # Somebody may have been given one of them since they were counted.
    if moderate_tweets(tweets=selection.changing, by=by, after=after, reason=reason, bulk=action) != _changes(rows):
        raise BulkRefused(_OTHERS)
    return action


@transaction.atomic
def undo_bulk(*, by: User, action: BulkAction) -> tuple[int, int]:
    """Put each tweet of a bulk action back to what it was; return how many, and how many stay because they were changed since.

    Raises BulkRefused if that was done before, or if `action` is itself such an undoing.
    """
    action = BulkAction.objects.select_for_update(no_key=True).get(pk=action.pk)
    if action.undoes_id or not action.after:
        raise BulkRefused("That was an undoing itself.")
    if BulkAction.objects.filter(undoes=action).exists():
        raise BulkRefused("That was undone before.")
    undone = undo_bulk_action(action=action, by=by, reason="undone")
    return undone, action.events.count() - undone
