"""What a model's scores say, next to what is good: pure functions from `ModelVersion.scores` to words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# People make up words too: so many points more is not noticed.
MADE_UP_ABOVE_PEOPLE = 0.02


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure as text (empty: not measured), what would be good, and whether it is (None: nothing to hold it against)."""

    name: str
    value: str
    goal: str
    good: bool | None


def read_figures(scores: Mapping[str, Any]) -> list[Figure]:
    """Return the figures of a model: of what it serves where that was measured, else of its samples before any filter.

    Always the same figures in the same order, so that versions line up below each other.
    """
    measured: Mapping[str, Any] = scores.get("served") or scores.get("raw") or scores
    people: Mapping[str, Any] = scores.get("human") or {"made_up": scores.get("made_up_human")}
    feature, telling = max((measured.get("features") or {"": None}).items(), key=lambda item: item[1] or 0.0)
    return [
        _figure("Word detector", measured.get("ngram_auc"), "{:.2f}", "≤ 0.70", lambda auc: auc <= 0.70),
        _figure("Likelihood detector", measured.get("likelihood_auc"), "{:.2f}", "0.40 to 0.65", lambda auc: 0.40 <= auc <= 0.65),
        _made_up(measured.get("made_up"), people.get("made_up")),
        _figure("Copied", measured.get("copied"), "{:.1%}", "0", lambda share: share == 0),
        _figure(f"Surface: {feature.replace('_', ' ')}" if feature else "Surface", telling, "{:.2f}", "≤ 0.58", lambda auc: auc <= 0.58),
        _figure("Bits per byte", scores.get("bits_per_byte"), "{:.3f}", "lower is better", None),
    ]


def is_served(scores: Mapping[str, Any]) -> bool:
    """Say whether the figures are of what players get, and not of samples before any filter."""
    return bool(scores.get("served"))


def _made_up(share: float | None, peoples: float | None) -> Figure:
    if peoples is None:
        return _figure("Made-up words", share, "{:.1%}", "≤ people's", None)
    most = peoples + MADE_UP_ABOVE_PEOPLE
    return _figure("Made-up words", share, "{:.1%}", f"≤ {most:.1%}", lambda share: share <= most)


def _figure(name: str, value: float | None, form: str, goal: str, is_good: Callable[[float], bool] | None) -> Figure:
    if value is None:
        return Figure(name, "", goal, None)
    return Figure(name, form.format(value), goal, is_good(value) if is_good else None)
