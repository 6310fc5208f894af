"""What the moderators' first page says: what waits where, how fast it goes, how far people agree, what was done to many at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Count

from game.moderation import queue, search
from game.moderation.agreement import Pair, agreement
from game.moderation.models import Lease
from game.pool.models import BulkAction, Category, ModerationEvent, Status, Tweet

# Whoever decides nothing for so long has had their coffee: the next decision begins another sitting.
SITTING_ENDS = timedelta(minutes=10)
# A sitting of more is told as so many.
COUNTED = 3_000
BULK_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Pace:
    """How many tweets somebody has decided in this sitting, and since when, in seconds."""

    decided: int
    seconds: int

    @property
    def in_words(self) -> str:
        """Return the time that it took."""
        minutes = max(1, round(self.seconds / 60))
        return f"{minutes} minute{'' if minutes == 1 else 's'}"


def read_pace(*, by: User, now: datetime) -> Pace:
    """Count what `by` has decided in the queue since they last rested."""
    events = ModerationEvent.objects.filter(by=by, bulk=None, undoes=None, undone_by=None).order_by("-pk")
    decided, since = 0, now
    for at in events.values_list("at", flat=True)[:COUNTED]:
        if since - at > SITTING_ENDS:
            break
        decided, since = decided + 1, at
    return Pace(decided, int((now - since).total_seconds()))


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in a category, and how far people agree on its tweets."""

    category: Category
    counts: queue.Counts
    flagged: int
    pairs: list[Pair]

    @property
    def waiting(self) -> search.Count:
        """How many tweets wait for a first or a second look."""
        return add_up(self.counts)


def add_up(counts: queue.Counts) -> search.Count:
    """Return how many tweets wait for a first or a second look."""
    return search.Count(counts.fresh.n + counts.second.n, more=counts.fresh.more or counts.second.more)


def read_waiting() -> list[Waiting]:
    """Return every category with what waits there, those where something does first."""
    flagged = dict(
        Tweet.objects.filter(status=Status.PENDING, flags__isnull=False)
        .order_by()
        .values_list("category")
        .annotate(Count("pk", distinct=True))
    )
    rows = [
        Waiting(category, queue.remaining(category=category), flagged.get(category.pk, 0), agreement(category=category))
        for category in Category.objects.all()
    ]
    return sorted(rows, key=lambda row: row.waiting.n == 0)


def count_before_others(*, category: Category, by: User, now: datetime) -> int:
    """Count the tweets of a category that lie before other moderators."""
    return Lease.objects.filter(tweet__category=category, until__gt=now).exclude(by=by).count()


@dataclass(frozen=True, slots=True)
class BulkLine:
    """A bulk action of late: what chose the tweets, how many it changed, and who has undone it."""

    action: BulkAction
    chosen: str
    changed: int
    undone: BulkAction | None


def read_bulk_actions() -> list[BulkLine]:
    """Return the last bulk actions, the newest first, with what became of each."""
    actions = BulkAction.objects.filter(undoes=None).select_related("by", "undone_by__by").annotate(changed=Count("events"))[:BULK_SHOWN]
    return [BulkLine(action, filters_in_words(action.filters), action.changed, getattr(action, "undone_by", None)) for action in actions]


def filters_in_words(spelled: Mapping[str, str]) -> str:
    """Return what filters choose, as a line says it."""
    return ", ".join(f"“{value}”" if name == "words" else f"{name} {value}" for name, value in spelled.items())
