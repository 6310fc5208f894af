"""What the pool lacks, and when to write it: pure rules."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice, zip_longest

# An empty category gets a small batch first, so that a first round can begin.
FIRST_BATCH = 50
# Batches that wait or run at the same time: what is planned later knows better what is needed most.
QUEUE = 20
# What play consumes is counted over the last hour.
HOUR = timedelta(hours=1)
MAX_PAUSE = timedelta(hours=1)


@dataclass(frozen=True)
class Stock:
    """What a category has: machine tweets that nobody was dealt yet, and those that unfinished batches will add.

    `consumed` is how many were dealt for the first time within the last hour, `target` how many it is to have.
    """

    category: int
    ready: int
    in_flight: int
    consumed: int
    target: int

    @property
    def has(self) -> int:
        return self.ready + self.in_flight

    @property
    def lasts(self) -> float:
        """For how many hours it lasts at the last hour's pace; one that nobody plays counts as if one tweet an hour were dealt."""
        return self.has / max(self.consumed, 1)


def target(consumed: int, *, at_least: int, hours_ahead: float, at_most: int) -> int:
    """Return how many tweets a category is to have ready that used up so many within the last hour."""
    return max(at_least, min(math.ceil(hours_ahead * consumed), at_most))


def plan_batches(stocks: Iterable[Stock], *, batch_size: int, room: int) -> list[tuple[int, int]]:
    """Return (category, tweets to ask for) of each batch that is missing, `room` of them at most, in the order in which to run them.

    Categories take turns, the one that is empty soonest first, so that none waits until another is full. ValueError if a
    batch holds nothing.
    """
    if batch_size < 1:
        raise ValueError("a batch asks for one tweet at least")
    queues = []
    for stock in sorted(stocks, key=lambda stock: (stock.lasts, stock.has)):
        has = stock.has
        sizes: list[int] = []
        while has < stock.target and len(sizes) < room:
            sizes.append(min(batch_size, stock.target - has, batch_size if has else FIRST_BATCH))
            has += sizes[-1]
        queues.append([(stock.category, size) for size in sizes])
    turns = (batch for turn in zip_longest(*queues) for batch in turn if batch)
    return list(islice(turns, max(room, 0)))


def pause_after_failures(failures: int) -> timedelta:
    """Return how long a model rests after so many batches in a row came to nothing: a minute, two, four, up to an hour."""
    return min(timedelta(minutes=2 ** min(failures - 1, 10)), MAX_PAUSE) if failures else timedelta()
