"""Those who decide, by name, and what they are given, by place: what tests of the queue say again and again."""

from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User

from game.moderation import queue
from game.moderation.queue import Decision
from game.pool.models import Category, ModerationEvent, Tweet

NOON = datetime(2020, 5, 31, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=4)


def moderator(name: str) -> User:
    """Return who is called that."""
    return User.objects.get_or_create(username=name)[0]


def take(name: str, category: Category, count: int = 3, now: datetime = NOON, **more: object) -> list[int]:
    """Return the ids of the tweets that somebody is given."""
    return [item.tweet_id for item in queue.take(by=moderator(name), category=category, count=count, now=now, **more)]  # type: ignore[arg-type]


def decide(name: str, tweet: Tweet, verdict: str = "approve", reason: str = "", now: datetime = NOON, **more: bool) -> Decision:
    """Have somebody decide on a tweet."""
    return queue.decide(tweet_id=tweet.pk, by=moderator(name), verdict=verdict, reason=reason, now=now, **more)


def undo(name: str, now: datetime = NOON, before: int | None = None) -> Decision:
    """Have somebody undo what they did last."""
    return queue.undo(by=moderator(name), now=now, before=before)


def log_of(tweet: Tweet) -> list[tuple[str, str, str, str]]:
    """Return a tweet's events: who, before, after, why; the oldest first."""
    events = ModerationEvent.objects.filter(tweet=tweet).order_by("pk")
    return list(events.values_list("by__username", "before", "after", "reason"))
