"""What the pages of scraping say in words and figures: pure functions."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from scraping.rules import Drop

HOUR = timedelta(hours=1)
OUTCOMES = {"kept": "kept", "gone": "gone at the source"}


class Span(NamedTuple):
    """How many posts came from when to when; None is still going on."""

    posts: int
    start: datetime
    end: datetime | None


def posts_a_minute(spans: Iterable[Span], *, now: datetime) -> float | None:
    """Return the posts per minute of work within the last hour; None if there was no work.

    Of a span that began earlier the share counts that its time within the hour is of the whole.
    """
    since = now - HOUR
    posts, worked = 0.0, timedelta()
    until = since
    for start, end, count in sorted((span.start, span.end or now, span.posts) for span in spans):
        within = min(end, now) - max(start, since)
        if within < timedelta() or end < start:
            continue
        posts += count * (within / (end - start) if end > start else 1)
        # Spans overlap where a source is read by several at a time: an instant of work counts once.
        worked += max(timedelta(), min(end, now) - max(start, until))
        until = max(until, end)
    return posts / (worked / timedelta(minutes=1)) if worked else None


def outcome(name: str) -> str:
    """Say what became of a post: the reason of a drop, or how it is otherwise."""
    return Drop[name].value if name in Drop.__members__ else OUTCOMES.get(name, name)


def dollars(amount: Decimal) -> str:
    """Write an amount as people do, to the tenth of a cent where it has one."""
    text = f"{amount:,.3f}"
    return f"${text.removesuffix('0')}"


def counted(number: int, one: str, many: str = "") -> str:
    """Say how many of something there are."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def listed(parts: Iterable[str]) -> str:
    """Join what is not empty, as a line of facts."""
    return " · ".join(part for part in parts if part)
