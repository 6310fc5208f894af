import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import IntegrityError
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from game.classroom import rules, services
from game.classroom.models import Answer, ClassSession, Seat
from game.classroom.rules import GRACE, Action
from game.classroom.selectors import find_session
from game.classroom.services import act, kick, move_on_if_due, move_on_what_is_due
from game.play.drawing import NotEnoughTweets
from game.pool.models import Category, Tweet
from tests.game.classroom.classes import CARD_TIME, hold_class, on_table, press, say, seat, withdraw
from tests.threads import at_once

SECOND = timedelta(seconds=1)


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Collect what would be sent to a worker: name, arguments, seconds to wait."""
    messages: list[tuple[Any, ...]] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args, *, countdown, **_: messages.append((name, args, countdown)))
    return messages


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Collect the rooms that are told."""
    rooms: list[tuple[str, str]] = []
    monkeypatch.setattr(services, "announce", lambda *, topic, keys: rooms.extend((topic, key) for key in keys))
    return rooms


def again(session: ClassSession) -> ClassSession:
    found = find_session(session.code)
    assert found
    return found


def test_a_class_begins_in_its_lobby_with_all_its_cards_dealt(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now, cards=7)
    assert session.state == rules.State(rules.Phase.LOBBY, 0, 7, 0)
    assert rules.read_code(session.code) == session.code
    assert session.delete_at == now + timedelta(days=30)
    assert list(session.categories.all()) == [category]
    assert [card.position for card in session.cards.all()] == [1, 2, 3, 4, 5, 6, 7]


def test_a_homework_is_kept_so_long_after_it_closes(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now, mode="homework", card_time=None, deadline=now + timedelta(days=60))
    assert session.delete_at == now + timedelta(days=60 + 30)


def test_what_the_teacher_chose_is_what_its_phases_hang_on(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now, card_time=None, show="never")
    assert session.chosen == rules.Settings(card_time=None, writing_time=None, show=rules.Show.NEVER)


def test_a_class_that_writes_has_no_cards_yet(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now, cards=7, mode="write", writing_time=timedelta(minutes=5), prompt="Tonight I will")
    assert (session.state.cards, session.card_limit, session.prompt) == (0, 7, "Tonight I will")


def test_too_small_a_pool_is_refused_and_nothing_is_stored(fill: Callable[..., Category], now: datetime) -> None:
    with pytest.raises(NotEnoughTweets, match="gardeners"):
        hold_class([fill(human=60, machine=0)], now=now)
    assert not ClassSession.objects.exists()


def test_a_code_that_is_taken_is_drawn_again(category: Category, now: datetime) -> None:
    first, second = (hold_class([category], now=now, seed=5) for _ in range(2))
    assert first.code == rules.new_code(random.Random(5)) != second.code


def test_only_a_challenge_goes_without_a_teacher(category: Category, now: datetime) -> None:
    with pytest.raises(IntegrityError, match="only_challenges_without_teacher"):
        hold_class([category], now=now, teacher=None)


def test_a_class_is_played_from_the_lobby_to_the_podium(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now, cards=2)
    phases = []
    for action in ("start", "next", "next", "next", "next", "next"):
        phases.append((session.phase, session.position, session.version))
        assert session.ended_at is None
        session = press(session, action, now=now)
    assert phases == [("lobby", 0, 0), ("card", 1, 1), ("reveal", 1, 2), ("standings", 1, 3), ("card", 2, 4), ("reveal", 2, 5)]
    assert (session.phase, session.position, session.version, session.ended_at) == ("podium", 2, 6, now)
    assert again(session).state == session.state


def test_a_double_press_does_nothing(category: Category, now: datetime) -> None:
    session = press(hold_class([category], now=now), "start", now=now)
    assert act(session_id=session.pk, action=Action.EXTEND, version=session.version, now=now)
    assert act(session_id=session.pk, action=Action.EXTEND, version=session.version, now=now) is None
    assert again(session).given == CARD_TIME + rules.EXTENSION


def test_what_is_illegal_changes_nothing_and_is_told_nobody(
    category: Category, now: datetime, told: list[tuple[str, str]], django_capture_on_commit_callbacks: Any
) -> None:
    session = hold_class([category], now=now)
    with django_capture_on_commit_callbacks(execute=True):
        assert act(session_id=session.pk, action=Action.NEXT, version=0, now=now) is None
        assert act(session_id=session.pk + 1, action=Action.START, version=0, now=now) is None
    assert (again(session).state, told) == (session.state, [])


def test_a_move_is_told_to_everybody_once_it_is_stored(
    category: Category, now: datetime, told: list[tuple[str, str]], sent: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    session = hold_class([category], now=now)
    with django_capture_on_commit_callbacks(execute=True):
        press(session, "start", now=now)
        assert told == []
    assert told == [(topic, session.code) for topic in ("class", "class-host", "class-presenter")]


def test_a_worker_is_asked_to_move_on_when_the_time_is_up(
    category: Category, now: datetime, sent: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    session = hold_class([category], now=now)
    with django_capture_on_commit_callbacks(execute=True):
        session = press(session, "start", now=now)
        session = press(session, "lock", now=now + 5 * SECOND)
        session = press(session, "pause", now=now + 6 * SECOND)
        session = press(session, "resume", now=now + 60 * SECOND)
        press(session, "next", now=now + 61 * SECOND)
    name = "game.classroom.tasks.expire"
    assert sent == [(name, [session.pk, 1], 21.0), (name, [session.pk, 2], 16.0), (name, [session.pk, 4], 15.0)]


def test_what_lasts_longer_than_redis_keeps_a_message_is_left_to_the_clock(
    category: Category, now: datetime, sent: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    session = hold_class([category], now=now, card_time=timedelta(minutes=30))
    with django_capture_on_commit_callbacks(execute=True):
        press(session, "start", now=now)
    assert sent == []


def test_with_redis_away_the_class_moves_on_all_the_same(
    category: Category, now: datetime, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise BrokerAway("gone")

    monkeypatch.setattr(current_app, "send_task", fail)
    session = hold_class([category], now=now)
    with django_capture_on_commit_callbacks(execute=True):
        press(session, "start", now=now)
    assert again(session).phase == "card"


def test_without_any_task_the_first_request_after_the_time_moves_on(category: Category, now: datetime) -> None:
    session = press(hold_class([category], now=now), "start", now=now)
    due = now + CARD_TIME + GRACE
    assert move_on_if_due(session=session, now=due - timedelta(microseconds=1)) is session
    moved = move_on_if_due(session=session, now=due)
    assert (moved.phase, moved.version) == ("reveal", 2)
    # Who still holds what was then, is given what is now.
    assert move_on_if_due(session=session, now=due).version == 2


def test_the_clock_moves_on_what_is_due_and_nothing_else(category: Category, now: datetime) -> None:
    early, late, waiting = (press(hold_class([category], now=now, seed=seed), "start", now=now + seed * SECOND) for seed in range(3))
    waiting = press(waiting, "pause", now=now + 3 * SECOND)
    homework = hold_class([category], now=now, seed=9, mode="homework", card_time=None, deadline=now + 5 * SECOND)
    move_on_what_is_due(now=now + CARD_TIME + GRACE)
    assert [again(each).phase for each in (early, late, waiting, homework)] == ["reveal", "card", "card", "podium"]
    assert again(homework).ended_at == now + CARD_TIME + GRACE


def test_a_homework_never_starts(category: Category, now: datetime) -> None:
    homework = hold_class([category], now=now, mode="homework", card_time=None, deadline=now + timedelta(days=7))
    assert act(session_id=homework.pk, action=Action.START, version=0, now=now) is None


def test_time_that_a_class_is_paused_costs_nobody_points(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now, speed_points=True)
    (ada,) = seat(session, 1, now=now)
    session = press(session, "start", now=now)
    session = press(session, "pause", now=now + 5 * SECOND)
    session = press(session, "resume", now=now + timedelta(minutes=10))
    say(session, (ada, on_table(session).kind), now=now + timedelta(minutes=10, seconds=5))
    answer = Answer.objects.get()
    assert (answer.elapsed, answer.points) == (10 * SECOND, 150)


def test_a_skipped_card_is_left_out(category: Category, now: datetime) -> None:
    session = press(hold_class([category], now=now), "start", "skip", now=now)
    assert (session.phase, session.position) == ("card", 2)
    assert list(session.cards.values_list("skipped", flat=True)) == [True, False, False, False]


def test_skipping_the_last_card_ends_the_class(category: Category, now: datetime) -> None:
    session = press(hold_class([category], now=now, cards=1), "start", "skip", now=now)
    assert (session.phase, session.ended_at) == ("podium", now)


def test_a_tweet_withdrawn_before_it_is_shown_is_replaced_by_another(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now)
    before = session.cards.get(position=1)
    withdraw(before)
    session = press(session, "start", now=now)
    after = on_table(session)
    assert (after.pk, session.position, after.withdrawn) == (before.pk, 1, False)
    assert after.token != before.token
    assert session.cards.values("tweet").distinct().count() == 4


def test_a_tweet_withdrawn_while_it_is_on_the_table_is_not_swapped_under_the_class(category: Category, now: datetime) -> None:
    session = press(hold_class([category], now=now), "start", now=now)
    before = on_table(session)
    withdraw(before)
    session = press(session, "pause", "resume", "lock", now=now)
    after = on_table(session)
    assert (after.token, after.tweet_id, after.body) == (before.token, before.tweet_id, "")


def test_a_card_for_which_there_is_no_other_tweet_is_passed_over(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now)
    Tweet.objects.exclude(pk__in=session.cards.filter(position=3).values("tweet")).update(status="withdrawn")
    session = press(session, "start", now=now)
    assert (session.phase, session.position, again(session).state) == ("card", 3, session.state)
    assert list(session.cards.values_list("skipped", flat=True)) == [True, True, False, False]
    session = press(session, "next", "next", "next", now=now)
    assert (session.phase, session.ended_at) == ("podium", now)


def test_a_student_who_is_sent_out_is_told_from_one_who_was(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now)
    (ada,) = seat(session, 1, now=now)
    assert kick(seat=ada, now=now)
    assert not kick(seat=ada, now=now + SECOND)
    assert Seat.objects.get().kicked_at == now


def test_sending_out_the_last_who_has_not_answered_turns_the_card(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now)
    ada, bo = seat(session, 2, now=now)
    session = press(session, "start", now=now)
    say(session, (ada, "human"), now=now)
    assert again(session).phase == "card"
    kick(seat=bo, now=now)
    assert again(session).phase == "reveal"


def test_an_empty_class_waits_for_its_teacher(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now)
    (ada,) = seat(session, 1, now=now)
    session = press(session, "start", now=now)
    kick(seat=ada, now=now)
    assert again(session).phase == "card"


def test_a_challenge_may_be_a_players(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now, teacher=None, mode="challenge", cards=0)
    assert (session.teacher, session.state.cards, session.chosen.own_pace) == (None, 0, True)


@pytest.mark.django_db(transaction=True)
def test_of_twenty_who_move_a_class_on_at_once_one_wins(fill: Callable[..., Category]) -> None:
    now = timezone.now()
    session = press(hold_class([fill()], now=now), "start", now=now)
    actions = [Action.NEXT, Action.SKIP, Action.PAUSE, Action.EXTEND, Action.LOCK]
    moved = at_once(20, lambda number: act(session_id=session.pk, action=actions[number % 5], version=1, now=now))
    (winner,) = filter(None, moved)
    assert again(session).state == winner.state
    assert winner.version == 2


@pytest.mark.django_db(transaction=True)
def test_the_task_the_clock_and_a_request_at_once_move_on_one_step(fill: Callable[..., Category]) -> None:
    now = timezone.now()
    session = press(hold_class([fill()], now=now, show="end"), "start", now=now)
    due = now + CARD_TIME + GRACE
    ways = [
        lambda: act(session_id=session.pk, action=Action.EXPIRE, version=1, now=due),
        lambda: move_on_if_due(session=session, now=due),
        lambda: move_on_what_is_due(now=due),
    ]
    at_once(9, lambda number: ways[number % 3]())
    assert (again(session).phase, again(session).version) == ("reveal", 2)
