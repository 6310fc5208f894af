"""Many tweets at once: what that would do, doing it, and undoing the whole."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from game.moderation.models import Lease
from game.moderation.search import Filters
from game.moderation.selectors import Item, read_items
from game.pool.models import BulkAction, Status, Tweet
from game.pool.services import moderate_tweets, undo_bulk_action

SAMPLES = 10


class BulkRefused(Exception):
    """A bulk action that was not done; its message is one line for whoever asked."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What filters select: how many, of which status, how many others are looking at just now, some of them, a token for `apply`."""

    count: int
    by_status: dict[str, int]
    leased: int
    samples: list[Item]
    token: str


def preview(*, filters: Filters, by: User, now: datetime, blind: bool = True) -> Preview:
    """Say what a bulk action on these tweets would be about. What is withdrawn or erased is left out: it stays so."""
    token, by_status = _weigh(filters)
    tweets = _selected(filters)
    leased = tweets.filter(_held_by_others(by, now)).count()
    samples = read_items(list(tweets.order_by("-pk").values_list("pk", flat=True)[:SAMPLES]), blind=blind)
    return Preview(sum(by_status.values()), by_status, leased, samples, token)


def _selected(filters: Filters) -> QuerySet[Tweet]:
    return Tweet.objects.filter(_chosen(filters))


def _chosen(filters: Filters) -> Q:
    return filters.to_q() & ~Q(status=Status.WITHDRAWN) & ~Q(text="")


def _held_by_others(by: User, now: datetime) -> Q:
    return Q(Exists(Lease.objects.filter(tweet=OuterRef("pk"), until__gt=now).exclude(by=by)))


def _weigh(filters: Filters) -> tuple[str, dict[str, int]]:
    """Return a token that any change of the selection changes, and how many it holds of each status."""
    sql, parameters = _selected(filters).order_by().values("id", "status").query.sql_with_params()
    with connection.cursor() as cursor:
        # The order does not matter to a sum of hashes.
        cursor.execute(
            f"SELECT status, count(*), sum(hashint8extended(id, 0)) FROM ({sql}) AS chosen GROUP BY status ORDER BY status",  # noqa: S608 (the ORM's)
            parameters,
        )
        rows = cursor.fetchall()
    return "-".join(f"{status}.{count}.{total}" for status, count, total in rows), {status: count for status, count, _ in rows}


@transaction.atomic
def apply(*, by: User, filters: Filters, after: str, reason: str = "", token: str, now: datetime) -> BulkAction:
    """Give all tweets of a preview the status `after`. Its events say which it changed.

    What lies before somebody else is left to them. Raises BulkRefused if `token` is not that of the selection as it is now.
    """
    if _weigh(filters)[0] != token:
        raise BulkRefused("Other tweets match now than in the preview: look at it again.")
    action = BulkAction.objects.create(by=by, filters=filters.spell(), after=after, reason=reason)
    chosen = _chosen(filters) & ~_held_by_others(by, now)
    moderate_tweets(tweets=chosen, by=by, after=after, reason=reason, bulk=action)
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
