"""Figures of a class as they are printed and drawn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django import template

from game.classroom.measures import Detection

register = template.Library()

# Where the line for d' ends if its interval does not reach farther; and how many steps of 1 fit under it on a phone.
_LEAST, _MOST, _MARKS = -1, 4, 8


@register.filter
def decimal(value: float, digits: int = 1) -> str:
    """Return a number with a minus sign that is as wide as a plus; nought has none."""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


@register.filter
def seconds(time: timedelta | None) -> str:
    """Return a time as seconds; a dash where none was measured."""
    return "\N{EN DASH}" if time is None else f"{time.total_seconds():.1f} s"


@dataclass(frozen=True, slots=True)
class Axis:
    """The line on which a d' and its interval are drawn: places from 0 to 1, and the figures under it, evenly apart."""

    low: float
    at: float
    high: float
    coin: float
    marks: Sequence[int]


@register.filter
def d_prime_axis(found: Detection) -> Axis:
    """Return the line for a d': from -1 to 4, and farther where its interval reaches beyond."""
    start, end = min(_LEAST, math.floor(found.low)), max(_MOST, math.ceil(found.high))
    step = 1 if end - start <= _MARKS else 2
    # The marks hold 0, which is a coin.
    start, end = start // step * step, -(-end // step) * step
    low, at, high, coin = ((value - start) / (end - start) for value in (found.low, found.d_prime, found.high, 0))
    return Axis(low, at, high, coin, range(start, end + 1, step))
