"""What the pages of scraping say in words and figures: pure functions."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from scraping.rules import Drop

HOUR = timedelta(hours=1)
OUTCOMES = {"kept": "kept", "gone": "gone, or taken out"}


class Span(NamedTuple):
    """How many posts came from when to when; None is still going on."""

    posts: int
    start: datetime
    end: datetime | None


def posts_in_hour(spans: Iterable[Span], *, now: datetime) -> int:
    """Return how many posts came within the last hour; of a span that began earlier, its share of them by time."""
    posts = 0.0
    for count, start, finished in spans:
        end = min(finished or now, now)
        within = end - max(start, now - HOUR)
        if end >= start and within >= timedelta():
            posts += count * (within / (end - start) if end > start else 1)
    return round(posts)


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
