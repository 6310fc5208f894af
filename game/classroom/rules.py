"""Phases of a live class, codes, points. A pure state machine: a transition returns the new state, or None where it is illegal."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

# No vowels, so that no word comes out. Of what is mistaken for each other on a projector (2 Z, 5 S, 6 G, 8 B) one at most.
ALPHABET = "BCDFGHJKMNPQRTVWXYZ3479"
CODE_LENGTH = 6
CODE_PATTERN = rf"[{ALPHABET}]{{{CODE_LENGTH}}}"
# What was pressed in the last moment is still on its way when the time is up.
GRACE = timedelta(seconds=1)
EXTENSION = timedelta(seconds=15)
# However often it is extended.
LONGEST = timedelta(hours=1)
POINTS_RIGHT = 100
POINTS_SPEED = 100
# For each classmate who took one's text for a bot's.
POINTS_FOOLED = 50


class Random(Protocol):
    """The part of `random.Random` that codes use."""

    def choices(self, population: str, *, k: int) -> list[str]:
        """Return `k` characters of `population`."""


class Phase(StrEnum):
    """Where a live class is."""

    LOBBY = "lobby"
    WRITING = "writing"
    CHOOSING = "choosing"  # the teacher reads what was written, and approves it
    CARD = "card"
    REVEAL = "reveal"
    STANDINGS = "standings"
    PODIUM = "podium"  # over


class Action(StrEnum):
    """What may happen to it."""

    START = "start"
    NEXT = "next"
    SKIP = "skip"  # leave this card out: it counts for nobody
    PAUSE = "pause"
    RESUME = "resume"
    EXTEND = "extend"
    LOCK = "lock"
    UNLOCK = "unlock"
    END = "end"
    EXPIRE = "expire"  # the time is up


class Show(StrEnum):
    """When standings are shown."""

    EACH = "each"
    END = "end"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a teacher chose: time a card (none: until the teacher moves on), time to write (none: nobody writes), standings.

    At one's own pace a class never starts: it is open in the lobby, until the teacher ends it or its deadline is over.
    """

    card_time: timedelta | None
    writing_time: timedelta | None
    show: Show
    own_pace: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Where a class is: `position` of the card counts from 1, and is 0 before the first; `cards` is how many there are.

    `given` is the time that this phase has in all. It runs out at `deadline`, or has `left` while the class is paused.
    """

    phase: Phase
    position: int
    cards: int
    version: int
    given: timedelta | None = None
    deadline: datetime | None = None
    left: timedelta | None = None
    locked: bool = False


def new_code(rng: Random) -> str:
    """Return a code of a class or a seat that can be read aloud and typed."""
    return "".join(rng.choices(ALPHABET, k=CODE_LENGTH))


def read_code(text: str) -> str | None:
    """Return the code that somebody typed, whatever its case, spaces and dashes; None where it can be none."""
    code = re.sub(r"[\s-]+", "", text[:40]).upper()
    return code if re.fullmatch(CODE_PATTERN, code) else None


def apply(state: State, action: Action, settings: Settings, now: datetime) -> State | None:
    """Return the state after `action`, one version later; None where it is illegal."""
    after = _RULES[action](state, settings, now)
    return after and replace(after, version=state.version + 1)


def _enter(state: State, phase: Phase, position: int, time: timedelta | None, now: datetime) -> State:
    return replace(state, phase=phase, position=position, given=time, deadline=now + time if time else None, left=None)


def _go_on(state: State, settings: Settings, now: datetime) -> State:
    """Return the next card, or the podium after the last one."""
    if state.position < state.cards:
        return _enter(state, Phase.CARD, state.position + 1, settings.card_time, now)
    return _enter(state, Phase.PODIUM, state.position, None, now)


def _start(state: State, settings: Settings, now: datetime) -> State | None:
    if state.phase != Phase.LOBBY or settings.own_pace:
        return None
    if settings.writing_time:
        return _enter(state, Phase.WRITING, 0, settings.writing_time, now)
    return _go_on(state, settings, now) if state.cards else None


def _next(state: State, settings: Settings, now: datetime) -> State | None:
    match state.phase:
        case Phase.WRITING:
            return _enter(state, Phase.CHOOSING, 0, None, now)
        case Phase.CARD:
            return _enter(state, Phase.REVEAL, state.position, None, now)
        case Phase.REVEAL if settings.show == Show.EACH and state.position < state.cards:
            return _enter(state, Phase.STANDINGS, state.position, None, now)
        case Phase.REVEAL | Phase.STANDINGS:
            return _go_on(state, settings, now)
        case Phase.CHOOSING:
            return _go_on(state, settings, now) if state.cards else None
        case _:
            return None


def _skip(state: State, settings: Settings, now: datetime) -> State | None:
    return _go_on(state, settings, now) if state.phase == Phase.CARD else None


def _pause(state: State, settings: Settings, now: datetime) -> State | None:
    # A date that ends a homework has no length, and can't be paused.
    if state.given is None or state.deadline is None or now >= state.deadline:
        return None
    return replace(state, deadline=None, left=state.deadline - now)


def _resume(state: State, settings: Settings, now: datetime) -> State | None:
    return None if state.left is None else replace(state, deadline=now + state.left, left=None)


def _extend(state: State, settings: Settings, now: datetime) -> State | None:
    if state.given is None or state.given + EXTENSION > LONGEST:
        return None
    if state.left is not None:
        return replace(state, given=state.given + EXTENSION, left=state.left + EXTENSION)
    if state.deadline is None or now >= state.deadline + GRACE:
        return None
    return replace(state, given=state.given + EXTENSION, deadline=state.deadline + EXTENSION)


def _lock(state: State, settings: Settings, now: datetime) -> State | None:
    return None if state.locked or state.phase == Phase.PODIUM else replace(state, locked=True)


def _unlock(state: State, settings: Settings, now: datetime) -> State | None:
    return replace(state, locked=False) if state.locked and state.phase != Phase.PODIUM else None


def _end(state: State, settings: Settings, now: datetime) -> State | None:
    return None if state.phase == Phase.PODIUM else _enter(state, Phase.PODIUM, state.position, None, now)


def _expire(state: State, settings: Settings, now: datetime) -> State | None:
    if not is_due(state, now):
        return None
    return _end(state, settings, now) if state.phase == Phase.LOBBY else _next(state, settings, now)


_RULES: dict[Action, Callable[[State, Settings, datetime], State | None]] = {
    Action.START: _start,
    Action.NEXT: _next,
    Action.SKIP: _skip,
    Action.PAUSE: _pause,
    Action.RESUME: _resume,
    Action.EXTEND: _extend,
    Action.LOCK: _lock,
    Action.UNLOCK: _unlock,
    Action.END: _end,
    Action.EXPIRE: _expire,
}


def is_due(state: State, now: datetime) -> bool:
    """Say whether the time of this phase is up, and what was under way has had a moment to come in."""
    return state.deadline is not None and now >= state.deadline + GRACE


def time_left(state: State, now: datetime) -> timedelta | None:
    """Return the time until the deadline, not below 0, or what is left of a paused phase; None where nothing runs out."""
    if state.deadline is None:
        return state.left
    return max(state.deadline - now, timedelta(0))


def takes_answers(state: State, at: datetime) -> bool:
    """Say whether an answer to the card on the table that came in at `at` counts: while it is paused, too."""
    return state.phase == Phase.CARD and not is_due(state, at)


def elapsed(state: State, at: datetime) -> timedelta | None:
    """Return how long the card had been there at `at`, pauses apart; None where cards have no time."""
    left = time_left(state, at)
    return None if state.given is None or left is None else state.given - left


def points(*, right: bool, elapsed: timedelta | None, given: timedelta | None, speed: bool) -> int:
    """Return what an answer is worth: 100 if it is right, and where speed counts up to 100 more, the sooner the more."""
    if not right:
        return 0
    if not speed or elapsed is None or not given:
        return POINTS_RIGHT
    return POINTS_RIGHT + round(POINTS_SPEED * min(1.0, max(0.0, 1 - elapsed / given)))
