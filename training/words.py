"""What the training page says in words: pure functions from a run's figures."""

from collections.abc import Sequence

# The stages of a run as a person follows them, each with the stages of the pipeline that it stands for.
STAGES: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("Collect", "Collecting the tweets", frozenset({"", "corpus"})),
    ("Learn", "Learning", frozenset({"finetune"})),
    ("Pack", "Packing the model", frozenset({"export"})),
    ("Write", "Writing as in the game", frozenset({"sample", "judge", "serve"})),
    ("Measure", "Measuring", frozenset({"evaluate", "card"})),
    ("Register", "Registering the model", frozenset({"register"})),
)


def stage_number(stage: str) -> int:
    """Return which of STAGES a stage of the pipeline belongs to, from 0."""
    return next((number for number, (_, _, names) in enumerate(STAGES) if stage in names), 0)


def seconds_left(*, step: int, steps: int, seconds: float) -> float | None:
    """Return how long learning still takes at most, at the pace so far; None while nothing tells."""
    if not step or not steps or not seconds:
        return None
    return max(steps - step, 0) * seconds / step


def duration(seconds: float) -> str:
    """Say a time in words, as coarse as a person would."""
    if seconds < 45:
        return "under a minute"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def named(authors: Sequence[str], most: int = 3) -> str:
    """Name authors by their handles, the first ones of many."""
    shown = [f"@{author}" for author in authors[:most]]
    if len(authors) > most:
        shown.append(f"{len(authors) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
