"""When a machine that costs money by the hour starts and stops: for work that waits, and after it was idle."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

# A machine that was told to start and can't be seen to run after so long has not started.
BOOT = timedelta(minutes=10)
# A worker that said nothing for so long is away.
AWAY = timedelta(minutes=1)
# After a start that came to nothing: doubled with each more of them.
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)


class Machine(StrEnum):
    """What the machine does, as whoever runs it says."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    GONE = "gone"


class Action(StrEnum):
    START = "start"
    STOP = "stop"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long work may wait before the machine starts, and how long the machine may be idle before it stops."""

    after: timedelta
    idle: timedelta


@dataclass(frozen=True, slots=True)
class Past:
    """What earlier looks saw of the machine, and what came of its starts."""

    since: datetime
    machine: Machine | None = None
    # It was told to start, and did not yet run since.
    asked: bool = False
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    busy_at: datetime | None = None
    # Starts in a row that failed, or after which it ran and did nothing.
    failures: int = 0
    failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """One look at the queues and at the machine. All times are by one clock."""

    now: datetime
    machine: Machine
    # Since when the oldest job waits.
    waiting_since: datetime | None
    # Jobs that the machine's worker is at.
    running: int
    past: Past


@dataclass(frozen=True, slots=True)
class Decision:
    action: Action
    why: str


def remember(
    past: Past,
    *,
    now: datetime,
    machine: Machine,
    running: int = 0,
    started_at: datetime | None = None,
    stopped_at: datetime | None = None,
    busy_at: datetime | None = None,
) -> Past:
    """Return the past with one more look in it, before anything is decided; the times are what others know of it."""
    past = replace(
        past,
        started_at=_latest(past.started_at, started_at),
        stopped_at=_latest(past.stopped_at, stopped_at),
        busy_at=_latest(past.busy_at, busy_at, now if running else None),
    )
    if running:
        past = replace(past, failures=0, failed_at=None)
    if past.asked and machine is Machine.RUNNING:
        past = replace(past, asked=False)
    elif past.asked and machine is Machine.STOPPED and past.started_at and now - past.started_at >= BOOT:
        past = fail(past, now=now)
    elif past.machine is Machine.RUNNING and machine in (Machine.STOPPING, Machine.STOPPED):
        fruitless = past.started_at and (past.busy_at is None or past.busy_at < past.started_at)
        past = replace(fail(past, now=now) if fruitless else past, stopped_at=now)
    return replace(past, machine=machine)


def start(past: Past, *, now: datetime) -> Past:
    """Return the past after the machine was told to start."""
    return replace(past, asked=True, started_at=now)


def stop(past: Past, *, now: datetime) -> Past:
    """Return the past after the machine was told to stop."""
    return replace(past, stopped_at=now)


def infer(past: Past, *, now: datetime, seen_at: datetime | None) -> Machine:
    """Return what a machine does that nobody can be asked about, from when its worker was last seen."""
    if seen_at is None or now - seen_at >= AWAY:
        return Machine.STOPPED
    told = past.stopped_at and (past.started_at is None or past.started_at < past.stopped_at)
    return Machine.STOPPING if told and past.stopped_at and now - past.stopped_at < AWAY else Machine.RUNNING


def fail(past: Past, *, now: datetime) -> Past:
    """Return the past after a start that came to nothing."""
    return replace(past, asked=False, failures=past.failures + 1, failed_at=now)


def pause(failures: int) -> timedelta:
    """Return how long to leave the machine alone after so many starts that came to nothing."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, 10)) if failures else timedelta()


def decide(situation: Situation, limits: Limits) -> Decision:
    """Return what is to be done now, and why in a sentence that stays the same as long as nothing changes."""
    match situation.machine:
        case Machine.STOPPED:
            return _off(situation, limits)
        case Machine.RUNNING:
            return _on(situation, limits)
        case Machine.STARTING | Machine.STOPPING:
            return Decision(Action.WAIT, f"The machine is {situation.machine}.")
        case Machine.GONE:
            return Decision(Action.WAIT, "The machine is gone for good: name another one.")


def _off(situation: Situation, limits: Limits) -> Decision:
    now, past, waiting_since = situation.now, situation.past, situation.waiting_since
    if past.asked:
        return Decision(Action.WAIT, f"The machine was told to start at {_clock(past.started_at)}.")
    if waiting_since is None:
        return Decision(Action.WAIT, "Nothing waits, and the machine is off.")
    told = f"A job waits since {_clock(waiting_since)}"
    # What waited while it stopped has to wait as long as what came later: else it would be on and off all the time.
    due = max(waiting_since, past.stopped_at or waiting_since) + limits.after
    rested = past.failed_at + pause(past.failures) if past.failed_at else due
    if now < rested and due < rested:
        times = "start" if past.failures == 1 else f"{past.failures} starts"
        return Decision(Action.WAIT, f"{told}, but the last {times} came to nothing: the next one is at {_clock(rested)}.")
    if now < due:
        return Decision(Action.WAIT, f"{told}: the machine starts at {_clock(due)} if one still does.")
    return Decision(Action.START, f"{told}.")


def _on(situation: Situation, limits: Limits) -> Decision:
    now, past, waiting_since = situation.now, situation.past, situation.waiting_since
    if situation.running:
        return Decision(Action.WAIT, "Its worker is at work.")
    idle_since = _latest(past.busy_at, past.started_at) or past.since
    stops_at = idle_since + limits.idle
    if now < stops_at:
        return Decision(Action.WAIT, f"Idle since {_clock(idle_since)}: the machine stops at {_clock(stops_at)}.")
    if waiting_since is None:
        return Decision(Action.STOP, f"Idle since {_clock(idle_since)}.")
    # Its worker is about to take that job; if it takes none for as long again, somebody else does.
    if now < min(waiting_since + limits.after, stops_at + limits.idle):
        return Decision(Action.WAIT, f"Idle since {_clock(idle_since)}, but a job waits since {_clock(waiting_since)}.")
    waits = f"though a job waits since {_clock(waiting_since)}: look at its worker's log"
    return Decision(Action.STOP, f"Idle since {_clock(idle_since)}, {waits}.")


def _latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment), default=None)


def _clock(moment: datetime | None) -> str:
    return f"{moment:%H:%M:%S}" if moment else "?"
