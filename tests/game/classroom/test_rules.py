import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from game.classroom import rules
from game.classroom.rules import EXTENSION, GRACE, LONGEST, Action, Phase, Settings, Show, State, apply

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TWENTY = timedelta(seconds=20)
LIVE = Settings(card_time=TWENTY, writing_time=None, show=Show.EACH)
WRITE = Settings(card_time=TWENTY, writing_time=timedelta(minutes=5), show=Show.EACH)
HOMEWORK = Settings(card_time=None, writing_time=None, show=Show.END, own_pace=True)


def state(phase: str, position: int = 0, **fields) -> State:
    return State(**{"phase": Phase(phase), "position": position, "cards": 3, "version": 7, **fields})


def timed(phase: str, position: int = 0) -> State:
    return state(phase, position, given=TWENTY, deadline=START + TWENTY)


def paused(phase: str, position: int = 0) -> State:
    return state(phase, position, given=TWENTY, left=5 * SECOND)


LOBBY, EMPTY_LOBBY = state("lobby"), state("lobby", cards=0)
WRITING, PAUSED_WRITING = timed("writing"), paused("writing")
CHOOSING, EMPTY_CHOOSING = state("choosing"), state("choosing", cards=0)
CARD, PAUSED_CARD, UNTIMED_CARD, LAST_CARD = timed("card", 1), paused("card", 1), state("card", 1), timed("card", 3)
REVEAL, LAST_REVEAL = state("reveal", 1), state("reveal", 3)
STANDINGS, PODIUM = state("standings", 1), state("podium", 3)
OPEN_HOMEWORK = state("lobby", deadline=START + timedelta(days=7))
STATES = {name: each for name, each in globals().items() if isinstance(each, State)}

# Where each action is legal, and to where it leads, ten seconds after START; `due`: when the time is up.
LEGAL: dict[tuple[str, str], str] = {
    ("LOBBY", "start"): "card 1",
    ("WRITING", "next"): "choosing 0",
    ("PAUSED_WRITING", "next"): "choosing 0",
    ("CHOOSING", "next"): "card 1",
    ("CARD", "next"): "reveal 1",
    ("PAUSED_CARD", "next"): "reveal 1",
    ("UNTIMED_CARD", "next"): "reveal 1",
    ("LAST_CARD", "next"): "reveal 3",
    ("REVEAL", "next"): "standings 1",
    ("LAST_REVEAL", "next"): "podium 3",
    ("STANDINGS", "next"): "card 2",
    ("CARD", "skip"): "card 2",
    ("PAUSED_CARD", "skip"): "card 2",
    ("UNTIMED_CARD", "skip"): "card 2",
    ("LAST_CARD", "skip"): "podium 3",
    **{(name, "pause"): f"{STATES[name].phase} {STATES[name].position}" for name in ("WRITING", "CARD", "LAST_CARD")},
    **{(name, "resume"): f"{STATES[name].phase} {STATES[name].position}" for name in ("PAUSED_WRITING", "PAUSED_CARD")},
    **{
        (name, "extend"): f"{STATES[name].phase} {STATES[name].position}"
        for name in ("WRITING", "PAUSED_WRITING", "CARD", "PAUSED_CARD", "LAST_CARD")
    },
    **{(name, "lock"): f"{each.phase} {each.position}" for name, each in STATES.items() if each.phase != Phase.PODIUM},
    **{(name, "end"): f"podium {each.position}" for name, each in STATES.items() if each.phase != Phase.PODIUM},
}
DUE = {("WRITING", "expire"): "choosing 0", ("CARD", "expire"): "reveal 1", ("LAST_CARD", "expire"): "reveal 3"}


def led_to(after: State | None) -> str | None:
    return f"{after.phase} {after.position}" if after else None


# The homework has a lobby of its own rules, below.
EVERY_PAIR = [(name, action) for name in STATES for action in Action if name != "OPEN_HOMEWORK"]


@pytest.mark.parametrize(("name", "action"), EVERY_PAIR)
def test_every_action_leads_where_the_table_says_or_is_refused(name: str, action: Action) -> None:
    assert led_to(apply(STATES[name], action, LIVE, START + 10 * SECOND)) == LEGAL.get((name, action))


@pytest.mark.parametrize("name", STATES)
def test_time_is_up_a_moment_after_the_deadline_and_not_before(name: str) -> None:
    before = STATES[name]
    deadline = before.deadline or START + TWENTY
    assert apply(before, Action.EXPIRE, LIVE, deadline + GRACE - timedelta(microseconds=1)) is None
    expected = "podium 0" if name == "OPEN_HOMEWORK" else DUE.get((name, "expire"))
    assert led_to(apply(before, Action.EXPIRE, LIVE, deadline + GRACE)) == expected


@pytest.mark.parametrize("action", Action)
def test_a_homework_can_be_ended_and_locked_and_nothing_else(action: Action) -> None:
    after = apply(OPEN_HOMEWORK, action, HOMEWORK, START + SECOND)
    assert led_to(after) == {"end": "podium 0", "lock": "lobby 0"}.get(action)


@pytest.mark.parametrize("name", STATES)
def test_a_locked_class_does_what_an_unlocked_one_does_and_stays_locked(name: str) -> None:
    locked = State(**{field: getattr(STATES[name], field) for field in State.__slots__} | {"locked": True})
    for action in set(Action) - {Action.LOCK, Action.UNLOCK}:
        open_, shut = (apply(each, action, LIVE, START + 10 * SECOND) for each in (STATES[name], locked))
        assert led_to(open_) == led_to(shut)
        assert shut is None or shut.locked
    after = apply(locked, Action.UNLOCK, LIVE, START)
    assert (after is None) if name == "PODIUM" else (after and not after.locked)
    assert apply(locked, Action.LOCK, LIVE, START) is None


def test_a_class_that_writes_starts_by_writing() -> None:
    after = apply(EMPTY_LOBBY, Action.START, WRITE, START)
    assert after == State(Phase.WRITING, 0, 0, 8, given=timedelta(minutes=5), deadline=START + timedelta(minutes=5))


def test_a_card_without_time_waits_for_the_teacher() -> None:
    after = apply(LOBBY, Action.START, Settings(card_time=None, writing_time=None, show=Show.EACH), START)
    assert after == State(Phase.CARD, 1, 3, 8)
    assert not rules.is_due(after, START + timedelta(days=1))
    assert rules.takes_answers(after, START + timedelta(days=1))


@pytest.mark.parametrize("show", [Show.END, Show.NEVER])
def test_without_standings_after_each_the_next_card_follows_the_truth(show: Show) -> None:
    settings = Settings(card_time=TWENTY, writing_time=None, show=show)
    assert led_to(apply(REVEAL, Action.NEXT, settings, START)) == "card 2"
    assert led_to(apply(LAST_REVEAL, Action.NEXT, settings, START)) == "podium 3"


def test_a_pause_costs_no_time_however_long_it_is() -> None:
    before = apply(CARD, Action.PAUSE, LIVE, START + 5 * SECOND)
    assert before
    assert (before.left, before.deadline) == (15 * SECOND, None)
    after = apply(before, Action.RESUME, LIVE, START + timedelta(days=1))
    assert after
    assert (after.given, after.left, after.deadline) == (TWENTY, None, START + timedelta(days=1) + 15 * SECOND)


def test_it_is_extended_by_fifteen_seconds_up_to_an_hour() -> None:
    after = apply(CARD, Action.EXTEND, LIVE, START + 10 * SECOND)
    assert after
    assert (after.given, after.deadline) == (TWENTY + EXTENSION, START + TWENTY + EXTENSION)
    after = apply(PAUSED_CARD, Action.EXTEND, LIVE, START + timedelta(days=1))
    assert after
    assert (after.given, after.left, after.deadline) == (TWENTY + EXTENSION, 5 * SECOND + EXTENSION, None)
    assert apply(state("card", 1, given=LONGEST, deadline=START + LONGEST), Action.EXTEND, LIVE, START) is None


def test_the_moment_after_the_deadline_can_be_extended_but_not_paused() -> None:
    late = START + TWENTY + GRACE / 2
    assert apply(CARD, Action.PAUSE, LIVE, late) is None
    after = apply(CARD, Action.EXTEND, LIVE, late)
    assert after
    assert rules.takes_answers(after, START + TWENTY + EXTENSION)
    assert apply(CARD, Action.EXTEND, LIVE, START + TWENTY + GRACE) is None


def test_answers_are_taken_while_a_card_lies_there_and_a_moment_longer() -> None:
    assert rules.takes_answers(CARD, START + TWENTY + GRACE - timedelta(microseconds=1))
    assert not rules.takes_answers(CARD, START + TWENTY + GRACE)
    assert rules.takes_answers(PAUSED_CARD, START + timedelta(hours=1))
    for name in set(STATES) - {"CARD", "LAST_CARD", "PAUSED_CARD", "UNTIMED_CARD"}:
        assert not rules.takes_answers(STATES[name], START)


@pytest.mark.parametrize(
    ("seconds", "speed", "worth"),
    [(0, False, 100), (20, False, 100), (0, True, 200), (5, True, 175), (10, True, 150), (20, True, 100), (21, True, 100), (-3, True, 200)],
)
def test_a_right_answer_is_worth_more_the_sooner_it_comes_where_speed_counts(seconds: int, speed: bool, worth: int) -> None:
    assert rules.points(right=True, elapsed=seconds * SECOND, given=TWENTY, speed=speed) == worth
    assert rules.points(right=False, elapsed=seconds * SECOND, given=TWENTY, speed=speed) == 0


def test_without_a_time_speed_counts_nothing() -> None:
    assert rules.points(right=True, elapsed=None, given=None, speed=True) == 100
    assert rules.elapsed(UNTIMED_CARD, START) is None


@given(st.integers())
def test_a_code_is_read_however_it_is_typed(seed: int) -> None:
    code = rules.new_code(random.Random(seed))
    assert len(code) == 6
    for typed in (code, code.lower(), f" {code[:3]} {code[3:]} ", f"{code[:3]}-{code[3:].lower()}"):
        assert rules.read_code(typed) == code


@pytest.mark.parametrize(
    "typed", ["", "BCDFG", "BCDFGHJ", "BCDFGA", "BCDFG0", "BCDFGH\N{ZERO WIDTH SPACE}", "\N{KELVIN SIGN}BCDFG", "BCDFGH" * 10]
)
def test_what_can_be_no_code_is_none(typed: str) -> None:
    assert rules.read_code(typed) is None


# Mostly shorter than a card lasts.
durations = (st.integers(0, 4_000) | st.integers(0, 4_000) | st.integers(0, 4_000_000)).map(lambda each: timedelta(milliseconds=each))
choices = st.builds(
    Settings,
    card_time=st.none() | st.integers(5, 120).map(lambda seconds: timedelta(seconds=seconds)),
    writing_time=st.none() | st.integers(60, 900).map(lambda seconds: timedelta(seconds=seconds)),
    show=st.sampled_from(Show),
)


class LiveClass(RuleBasedStateMachine):
    """Press whatever there is to press at whatever time, and compare with what must hold of every class."""

    @initialize(settings=choices, cards=st.integers(0, 5))
    def begin(self, settings: Settings, cards: int) -> None:
        self.settings, self.now = settings, START
        self.state = State(Phase.LOBBY, 0, cards, 0)
        # Of the phase that is: what has run without pauses.
        self.ran = timedelta(0)

    @rule(action=st.sampled_from(Action))
    def press(self, action: Action) -> None:
        before, after = self.state, apply(self.state, action, self.settings, self.now)
        if after is None:
            return
        assert after.version == before.version + 1
        assert after.cards == before.cards
        assert before.position <= after.position <= min(before.position + 1, before.cards)
        assert before.phase != Phase.PODIUM
        if (after.phase, after.position) != (before.phase, before.position):
            assert action not in (Action.PAUSE, Action.RESUME, Action.EXTEND, Action.LOCK, Action.UNLOCK)
            self.ran = timedelta(0)
            assert after.left is None
        if after.position > before.position:
            assert after.phase == Phase.CARD
        assert after.locked == {Action.LOCK: True, Action.UNLOCK: False}.get(action, before.locked)
        self.state = after

    @rule(choice=st.integers(0, len(Action) - 1))
    def press_what_is_legal(self, choice: int) -> None:
        legal = [action for action in Action if action != Action.END and apply(self.state, action, self.settings, self.now)]
        if legal:
            self.press(legal[choice % len(legal)])

    @rule(passed=durations)
    def wait(self, passed: timedelta) -> None:
        self.now += passed
        if self.state.deadline is not None:
            self.ran += passed

    @precondition(lambda self: self.state.deadline is not None)
    @rule()
    def wait_until_time_is_up(self) -> None:
        assert self.state.deadline
        self.wait(max(self.state.deadline + GRACE - self.now, timedelta(0)))
        phase = self.state.phase
        self.press(Action.EXPIRE)
        assert self.state.phase == {Phase.CARD: Phase.REVEAL, Phase.WRITING: Phase.CHOOSING}[phase]

    @precondition(lambda self: self.state.phase != Phase.PODIUM)
    @rule()
    def go_on_however_it_stands(self) -> None:
        """No phase but the choosing without anything approved, and a lobby without cards, leaves the teacher stuck."""
        moved = any(apply(self.state, action, self.settings, self.now) for action in (Action.START, Action.NEXT))
        stuck = self.state.phase in (Phase.LOBBY, Phase.CHOOSING) and self.state.cards == 0
        assert moved or (stuck and not (self.state.phase == Phase.LOBBY and self.settings.writing_time))
        assert apply(self.state, Action.END, self.settings, self.now)

    @invariant()
    def no_time_is_lost_or_won(self) -> None:
        if not hasattr(self, "state") or self.state.given is None:
            return
        left = rules.time_left(self.state, self.now)
        assert left == max(self.state.given - self.ran, timedelta(0))
        assert rules.elapsed(self.state, self.now) == min(self.ran, self.state.given)
        assert self.state.given <= LONGEST

    @invariant()
    def it_runs_or_is_paused_or_has_no_time(self) -> None:
        if not hasattr(self, "state"):
            return
        runs, is_paused = self.state.deadline is not None, self.state.left is not None
        assert [runs, is_paused, self.state.given is None].count(True) == 1
        if self.state.given is not None:
            assert self.state.phase in (Phase.WRITING, Phase.CARD)
        assert (self.state.position == 0) == (self.state.phase in (Phase.LOBBY, Phase.WRITING, Phase.CHOOSING)) or (
            self.state.phase == Phase.PODIUM
        )


TestLiveClass = LiveClass.TestCase
