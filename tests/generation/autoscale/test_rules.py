"""What the machine is told, for all that may happen to it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from generation.autoscale.rules import (
    BOOT,
    LONGEST_PAUSE,
    Action,
    Decision,
    Limits,
    Machine,
    Past,
    Situation,
    decide,
    fail,
    pause,
    remember,
    start,
)

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LIMITS = Limits(after=timedelta(seconds=60), idle=timedelta(minutes=15))
SECOND = timedelta(seconds=1)


def ago(seconds: float) -> datetime:
    return NOON - seconds * SECOND


def look(machine: Machine, *, waiting_since: datetime | None = None, running: int = 0, past: Past | None = None) -> Decision:
    return decide(Situation(NOON, machine, waiting_since, running, past or Past(since=ago(3600))), LIMITS)


@pytest.mark.parametrize(
    ("waiting_since", "past", "decision"),
    [
        (None, Past(ago(9)), Decision(Action.WAIT, "Nothing waits, and the machine is off.")),
        (ago(59), Past(ago(9)), Decision(Action.WAIT, "A job waits since 11:59:01: the machine starts at 12:00:01 if one still does.")),
        (ago(60), Past(ago(9)), Decision(Action.START, "A job waits since 11:59:00.")),
        (
            ago(900),
            Past(ago(9), stopped_at=ago(59)),
            Decision(Action.WAIT, "A job waits since 11:45:00: the machine starts at 12:00:01 if one still does."),
        ),
        (ago(900), Past(ago(9), stopped_at=ago(60)), Decision(Action.START, "A job waits since 11:45:00.")),
        (
            ago(900),
            Past(ago(9), failures=1, failed_at=ago(59)),
            Decision(Action.WAIT, "A job waits since 11:45:00, but the last start came to nothing: the next one is at 12:00:01."),
        ),
        (
            ago(900),
            Past(ago(9), failures=2, failed_at=ago(60)),
            Decision(Action.WAIT, "A job waits since 11:45:00, but the last 2 starts came to nothing: the next one is at 12:01:00."),
        ),
        (ago(900), Past(ago(9), failures=2, failed_at=ago(120)), Decision(Action.START, "A job waits since 11:45:00.")),
        (ago(900), Past(ago(9), asked=True, started_at=ago(5)), Decision(Action.WAIT, "The machine was told to start at 11:59:55.")),
    ],
)
def test_a_machine_that_is_off_starts_when_a_job_has_waited_long_enough(
    waiting_since: datetime | None, past: Past, decision: Decision
) -> None:
    assert look(Machine.STOPPED, waiting_since=waiting_since, past=past) == decision


@pytest.mark.parametrize(
    ("waiting_since", "past", "decision"),
    [
        (None, Past(ago(5), busy_at=ago(899)), Decision(Action.WAIT, "Idle since 11:45:01: the machine stops at 12:00:01.")),
        (None, Past(ago(5), busy_at=ago(900)), Decision(Action.STOP, "Idle since 11:45:00.")),
        (
            None,
            Past(ago(5), busy_at=ago(5000), started_at=ago(60)),
            Decision(Action.WAIT, "Idle since 11:59:00: the machine stops at 12:14:00."),
        ),
        (None, Past(ago(60)), Decision(Action.WAIT, "Idle since 11:59:00: the machine stops at 12:14:00.")),
        (ago(59), Past(ago(5), busy_at=ago(900)), Decision(Action.WAIT, "Idle since 11:45:00, but a job waits since 11:59:01.")),
        (
            ago(60),
            Past(ago(5), busy_at=ago(900)),
            Decision(Action.STOP, "Idle since 11:45:00, though a job waits since 11:59:00: look at its worker's log."),
        ),
        (
            ago(1),
            Past(ago(5), busy_at=ago(1800)),
            Decision(Action.STOP, "Idle since 11:30:00, though a job waits since 11:59:59: look at its worker's log."),
        ),
    ],
)
def test_a_machine_that_runs_stops_when_it_was_idle_long_enough(waiting_since: datetime | None, past: Past, decision: Decision) -> None:
    assert look(Machine.RUNNING, waiting_since=waiting_since, past=past) == decision
    busy = look(Machine.RUNNING, waiting_since=waiting_since, past=past, running=1)
    assert busy == Decision(Action.WAIT, "Its worker is at work.")


@pytest.mark.parametrize(
    ("machine", "why"),
    [
        (Machine.STARTING, "The machine is starting."),
        (Machine.STOPPING, "The machine is stopping."),
        (Machine.GONE, "The machine is gone for good: name another one."),
    ],
)
def test_a_machine_that_is_neither_on_nor_off_is_left_alone(machine: Machine, why: str) -> None:
    assert look(machine, waiting_since=ago(9000), past=Past(ago(9000), busy_at=ago(9000))) == Decision(Action.WAIT, why)


def test_pauses_double_up_to_an_hour() -> None:
    assert [pause(failures) / timedelta(minutes=1) for failures in range(9)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert pause(100_000) == LONGEST_PAUSE


def test_a_start_that_nothing_is_seen_of_has_failed_after_ten_minutes() -> None:
    past = start(Past(NOON, Machine.STOPPED), now=NOON)
    early = remember(past, now=NOON + BOOT - SECOND, machine=Machine.STOPPED)
    assert early == past
    assert remember(past, now=NOON + BOOT, machine=Machine.STOPPED) == fail(past, now=NOON + BOOT)
    assert remember(past, now=NOON + BOOT, machine=Machine.STARTING) == replace(past, machine=Machine.STARTING)
    assert remember(past, now=NOON + BOOT, machine=Machine.RUNNING) == replace(past, asked=False, machine=Machine.RUNNING)


def test_a_machine_that_ran_and_did_nothing_counts_as_a_start_that_failed() -> None:
    ran = Past(NOON, Machine.RUNNING, started_at=NOON)
    later = NOON + LIMITS.idle
    assert remember(ran, now=later, machine=Machine.STOPPING) == replace(
        ran, machine=Machine.STOPPING, stopped_at=later, failures=1, failed_at=later
    )
    worked = remember(ran, now=NOON + SECOND, machine=Machine.RUNNING, running=1)
    assert remember(worked, now=later, machine=Machine.STOPPED) == replace(worked, machine=Machine.STOPPED, stopped_at=later)


def test_what_others_know_of_the_machine_counts_if_it_is_newer() -> None:
    past = Past(ago(9), started_at=ago(100), stopped_at=ago(200), busy_at=ago(50))
    known = remember(past, now=NOON, machine=Machine.RUNNING, started_at=ago(90), stopped_at=ago(300), busy_at=ago(60))
    assert known == Past(ago(9), Machine.RUNNING, started_at=ago(90), stopped_at=ago(200), busy_at=ago(50))


moments = st.one_of(st.none(), st.integers(0, 20_000).map(ago))
pasts = st.builds(
    Past,
    since=st.integers(0, 20_000).map(ago),
    machine=st.sampled_from([None, *Machine]),
    asked=st.booleans(),
    started_at=moments,
    stopped_at=moments,
    busy_at=moments,
    failures=st.integers(0, 20),
    failed_at=moments,
)


@given(st.sampled_from(Machine), moments, st.integers(0, 3), pasts)
def test_whatever_the_past_was_nothing_starts_twice_or_stops_at_work(
    machine: Machine, waiting_since: datetime | None, running: int, past: Past
) -> None:
    action = look(machine, waiting_since=waiting_since, running=running, past=past).action
    if action is Action.START:
        assert machine is Machine.STOPPED
        assert not past.asked
        assert waiting_since is not None
        assert waiting_since <= ago(60)
        assert past.stopped_at is None or past.stopped_at <= ago(60)
    if action is Action.STOP:
        assert machine is Machine.RUNNING
        assert running == 0
        assert all(moment is None or moment <= NOON - LIMITS.idle for moment in (past.busy_at, past.started_at))


class World(RuleBasedStateMachine):
    """A machine, a queue and an autoscaler that looks at both, each told of the machine a little late."""

    @initialize()
    def begin(self) -> None:
        self.now = NOON
        self.machine = self.shown = Machine.STOPPED
        self.past = Past(since=self.now)
        self.queue: list[datetime] = []
        self.running = 0
        self.works = True
        self.starts: list[datetime] = []
        self.stopped_at: datetime | None = None
        self.fruitless: list[datetime] = []

    @rule(seconds=st.integers(1, 400))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * SECOND
        self.shown = self.machine

    @rule()
    def a_job_comes(self) -> None:
        self.queue.append(self.now)

    @rule()
    def somebody_else_does_what_waits(self) -> None:
        self.queue.clear()

    @rule()
    def its_worker_breaks_or_is_mended(self) -> None:
        self.works = not self.works

    @precondition(lambda self: self.machine is Machine.RUNNING and self.works and self.queue)
    @rule()
    def its_worker_takes_a_job(self) -> None:
        self.queue.pop(0)
        self.running += 1

    @precondition(lambda self: self.running)
    @rule()
    def a_job_is_done(self) -> None:
        self.running -= 1

    @precondition(lambda self: self.machine in (Machine.STARTING, Machine.STOPPING))
    @rule()
    def it_gets_there(self) -> None:
        self.machine = Machine.RUNNING if self.machine is Machine.STARTING else Machine.STOPPED

    @precondition(lambda self: self.machine is Machine.RUNNING)
    @rule()
    def it_is_lost(self) -> None:
        self.queue[:0] = [self.now] * self.running
        self.running = 0
        self._leave(Machine.STOPPED)

    @rule()
    def the_autoscaler_is_started_anew(self) -> None:
        # By then it is told the truth, and of failures it knows nothing any more.
        self.past, self.shown = Past(since=self.now), self.machine
        self.fruitless = []

    @rule(capacity=st.booleans())
    def the_autoscaler_looks(self, capacity: bool) -> None:
        self.past = remember(
            self.past,
            now=self.now,
            machine=self.shown,
            running=self.running,
            started_at=self.starts[-1] if self.starts else None,
            stopped_at=self.stopped_at,
        )
        if self.running:
            self.fruitless = []
        decision = decide(Situation(self.now, self.shown, self.queue[0] if self.queue else None, self.running, self.past), LIMITS)
        if decision.action is Action.START:
            self._start(capacity)
        elif decision.action is Action.STOP:
            assert self.running == 0
            if self.machine is Machine.RUNNING:
                self._leave(Machine.STOPPING)
        self._expect_life(decision)

    def _start(self, capacity: bool) -> None:
        assert self.machine is Machine.STOPPED
        assert self.queue[0] <= self.now - LIMITS.after
        assert self.stopped_at is None or self.stopped_at <= self.now - LIMITS.after
        if self.fruitless:
            assert self.now - self.fruitless[-1] >= pause(len(self.fruitless))
        if capacity:
            self.machine = Machine.STARTING
            self.past = start(self.past, now=self.now)
            self.starts.append(self.now)
        else:
            self.past = fail(self.past, now=self.now)
            self.fruitless.append(self.now)

    def _leave(self, machine: Machine) -> None:
        self.machine = machine
        self.stopped_at = self.now

    def _expect_life(self, decision: Decision) -> None:
        """What must not be put off for ever is done in time."""
        quiet = max(moment for moment in (self.past.since, self.past.stopped_at, self.past.failed_at) if moment)
        if self.shown is Machine.STOPPED and self.queue and not self.past.asked:
            waited = self.now - max(self.queue[0], quiet)
            assert decision.action is Action.START or waited < max(LIMITS.after, pause(self.past.failures))
        if self.shown is Machine.RUNNING and not self.running:
            idle = self.now - max(moment for moment in (self.past.since, self.past.busy_at, self.past.started_at) if moment)
            assert decision.action is Action.STOP or idle < 2 * LIMITS.idle

    @invariant()
    def failures_are_not_forgotten(self) -> None:
        assert self.past.failures == 0 or self.past.failed_at is not None


TestWorld = World.TestCase


@given(st.lists(st.integers(1, 900), min_size=1, max_size=30))
def test_starts_that_fail_come_less_and_less_often(gaps: list[int]) -> None:
    assume(sum(gaps) > 60)
    now, past, tries = NOON, Past(since=NOON), []
    for gap in gaps:
        now += gap * SECOND
        past = remember(past, now=now, machine=Machine.STOPPED)
        if decide(Situation(now, Machine.STOPPED, NOON, 0, past), LIMITS).action is Action.START:
            tries.append(now)
            past = fail(past, now=now)
    assert all(later - earlier >= pause(place) for place, (earlier, later) in enumerate(pairwise(tries), 1))
    assert tries
