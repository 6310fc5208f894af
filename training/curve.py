"""A loss curve as geometry: pure functions from points to what the SVG of templates/training/curve.html draws."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# More points than a phone has pixels under the curve only weigh.
MAX_DRAWN = 200
# Of the curve's height: labels closer than that would cover each other.
LABEL_GAP = 9.0
# A curve that hardly moves is drawn as one that hardly moves.
NARROWEST = 0.1


@dataclass(frozen=True, slots=True)
class Point:
    """A loss of the curve, in nats a token."""

    step: int
    loss: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A tick, a dot or a label: its place in per cent from the left or the top, and its words."""

    x: float
    y: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """What the SVG draws. Paths are in a box of 100 by 100, everything else in per cent of it."""

    train: str
    held_back: str
    checks: tuple[Mark, ...]
    labels: tuple[Mark, ...]
    losses: tuple[Mark, ...]
    steps: tuple[Mark, ...]


def draw_curve(train: Sequence[Point], held_back: Sequence[Point], steps: int) -> Curve | None:
    """Lay out a curve whose right edge is step `steps`, planned or passed; None while there is nothing to draw."""
    train, held_back = ([point for point in points if math.isfinite(point.loss)] for points in (train, held_back))
    if not (train or held_back):
        return None
    right = max(steps, 1, *(point.step for point in (*train, *held_back)))
    drawn = thin_out(train, MAX_DRAWN)
    ticks = nice_ticks([point.loss for point in (*drawn, *held_back)])
    low, high = ticks[0], ticks[-1]

    def place(point: Point) -> tuple[float, float]:
        return round(100 * point.step / right, 2), round(100 * (high - point.loss) / (high - low), 2)

    ends = [(name, points[-1]) for name, points in (("learned", drawn), ("held back", held_back)) if points]
    return Curve(
        train=_path(map(place, drawn)),
        held_back=_path(map(place, held_back)),
        checks=tuple(Mark(*place(point)) for point in held_back),
        labels=_apart([Mark(*place(point), f"{name} {point.loss:.2f}") for name, point in ends]),
        losses=tuple(Mark(0, round(100 * (high - tick) / (high - low), 2), _short(tick, ticks[1] - ticks[0])) for tick in ticks),
        steps=tuple(Mark(round(100 * step / right, 2), 100, f"{step:,}") for step in sorted({0, right // 2, right})),
    )


def thin_out(points: Sequence[Point], most: int) -> list[Point]:
    """Return at most `most` points: the means of runs of neighbours, each at the last of its steps."""
    size = math.ceil(len(points) / most) if points else 1
    runs = [points[start : start + size] for start in range(0, len(points), size)]
    return [Point(run[-1].step, sum(point.loss for point in run) / len(run)) for run in runs]


def nice_ticks(values: Sequence[float], most: int = 6) -> list[float]:
    """Return round numbers in equal distances, two at least and `most` at most, that enclose the values."""
    low, high = min(values), max(values)
    if high - low < NARROWEST:
        low, high = (low + high - NARROWEST) / 2, (low + high + NARROWEST) / 2
    size = 10.0 ** math.floor(math.log10(high - low) - 1)
    while True:
        for factor in (1, 2, 2.5, 5):
            step = size * factor
            first, last = math.floor(low / step), math.ceil(high / step)
            if last - first < most:
                return [round(step * number, 10) for number in range(first, last + 1)]
        size *= 10


def _short(tick: float, distance: float) -> str:
    digits = next(digits for digits in range(4) if digits == 3 or math.isclose(distance * 10**digits, round(distance * 10**digits)))
    return f"{tick:.{digits}f}"


def _path(places: Iterable[tuple[float, float]]) -> str:
    return "".join(f"{'L' if number else 'M'}{x:g} {y:g}" for number, (x, y) in enumerate(places))


def _apart(labels: list[Mark]) -> tuple[Mark, ...]:
    """Move the upper of two labels up where they would touch."""
    if len(labels) == 2 and abs(labels[0].y - labels[1].y) < LABEL_GAP:
        upper, lower = sorted(labels, key=lambda label: label.y)
        return Mark(upper.x, lower.y - LABEL_GAP, upper.text), lower
    return tuple(labels)
