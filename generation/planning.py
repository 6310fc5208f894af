"""What the pool lacks, and when to write it: pure rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest

# An empty category gets a small batch first, so that a first round can begin.
FIRST_BATCH = 50
MAX_PAUSE = timedelta(hours=1)


@dataclass(frozen=True)
class Stock:
    """What a category has: machine tweets that nobody was dealt yet, and those that unfinished batches will add."""

    category: int
    ready: int
    in_flight: int

    @property
    def has(self) -> int:
        return self.ready + self.in_flight


def plan_batches(stocks: Iterable[Stock], *, target: int, batch_size: int) -> list[tuple[int, int]]:
    """Return (category, tweets to ask for) of each batch that is missing, in the order in which to run them.

    Categories take turns, the emptiest first, so that none waits until another is full. ValueError if a batch holds nothing.
    """
    if batch_size < 1:
        raise ValueError("a batch asks for one tweet at least")
    queues = []
    for stock in sorted(stocks, key=lambda stock: stock.has):
        has = stock.has
        sizes = []
        while has < target:
            sizes.append(min(batch_size, target - has, batch_size if has else FIRST_BATCH))
            has += sizes[-1]
        queues.append([(stock.category, size) for size in sizes])
    return [batch for turn in zip_longest(*queues) for batch in turn if batch]


def pause_after_failures(failures: int) -> timedelta:
    """Return how long a model rests after so many batches in a row came to nothing: a minute, two, four, up to an hour."""
    return min(timedelta(minutes=2 ** min(failures - 1, 10)), MAX_PAUSE) if failures else timedelta()
