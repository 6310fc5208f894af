"""Medians of things that are compared: taken in turns, so that a busy machine slows all of them alike."""

from collections.abc import Callable, Mapping
from statistics import median
from typing import TypeVar

Key = TypeVar("Key")


def interleave(sides: Mapping[Key, Callable[[], float]], *, turns: int, warm_up: int) -> dict[Key, float]:
    """Return the median of what each side measures, over `turns` turns after `warm_up` unrecorded ones.

    Every other turn runs backwards, so that no side always follows the same neighbour.
    """
    measured: dict[Key, list[float]] = {key: [] for key in sides}
    for turn in range(-warm_up, turns):
        for key in list(sides) if turn % 2 else reversed(list(sides)):
            value = sides[key]()
            if turn >= 0:
                measured[key].append(value)
    return {key: median(values) for key, values in measured.items()}
