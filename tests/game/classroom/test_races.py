"""What happens at the same moment, on connections of its own, as in two processes."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from game.classroom.answers import Code, Outcome
from game.classroom.models import Answer, ClassSession, Seat
from game.classroom.rules import GRACE, Action
from game.classroom.selectors import find_session, read_stage
from game.classroom.services import act, kick
from game.pool.models import Category
from tests.game.classroom.classes import CARD_TIME, hold_class, on_table, press, say, seat
from tests.threads import at_once

DUE = CARD_TIME + GRACE


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def again(session: ClassSession) -> ClassSession:
    found = find_session(session.code)
    assert found
    return found


def codes(outcomes: list[Outcome]) -> list[str]:
    return [outcome.code for outcome in outcomes]


@pytest.fixture
def committed(fill: Callable[..., Category], transactional_db: None, now: datetime) -> ClassSession:
    """Return a class that other connections see, with a card on the table and three students, one of whom is silent."""
    session = hold_class([fill()], now=now, show="end")
    seat(session, 3, now=now)
    return press(session, "start", now=now)


def overlap(first: Callable[[], Any], second: Callable[[], Any], then: Callable[[], Any] = lambda: None) -> tuple[Any, Any]:
    """Do `first` in a transaction that stays open, and goes on with `then`, once `second` waits for it elsewhere; return their results."""
    begun, go_on = Event(), Event()

    def hold() -> Any:
        try:
            with transaction.atomic():
                result = first()
                begun.set()
                go_on.wait()
                then()
            return result
        finally:
            begun.set()
            connection.close()

    def come_second() -> Any:
        try:
            return second()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        try:
            holding = threads.submit(hold)
            begun.wait()
            coming = threads.submit(come_second)
            while not coming.done() and not is_waited_for_a_lock():
                pass
        finally:
            go_on.set()
        return holding.result(), coming.result()


def is_waited_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return cursor.fetchone()[0]


def expire(session: ClassSession, now: datetime) -> tuple[str, int]:
    """Move the class on, whose time is up; return its phase, and how many answers its page shows then."""
    moved = act(session_id=session.pk, action=Action.EXPIRE, version=session.version, now=now + DUE)
    assert moved
    return moved.phase, read_stage(again(moved)).answered


def test_an_answer_that_is_being_stored_when_the_time_is_up_is_in_the_reveal(committed: ClassSession, now: datetime) -> None:
    ada, *_ = committed.seats.order_by("pk")
    last_moment = now + DUE - timedelta(microseconds=1)
    outcomes, revealed = overlap(lambda: say(committed, (ada, "human"), now=last_moment), lambda: expire(committed, now))
    assert (codes(outcomes), revealed) == (["kept"], ("reveal", 1))


def test_an_answer_that_comes_while_the_card_is_being_turned_is_late(committed: ClassSession, now: datetime) -> None:
    ada, *_ = committed.seats.order_by("pk")
    card = on_table(committed)
    revealed, outcomes = overlap(lambda: expire(committed, now), lambda: say(committed, (ada, "human"), now=now, card=card))
    assert (revealed, codes(outcomes)) == (("reveal", 0), ["late"])
    assert not Answer.objects.exists()


def test_a_student_who_is_being_sent_out_answers_before_it_or_not_at_all(committed: ClassSession, now: datetime) -> None:
    ada, *_ = committed.seats.order_by("pk")
    card = on_table(committed)
    _, outcomes = overlap(lambda: kick(seat=ada, now=now), lambda: say(committed, (ada, "human"), now=now, card=card))
    assert codes(outcomes) == ["no-seat"]


def test_two_batches_of_the_same_students_do_not_lock_each_other_out(committed: ClassSession, now: datetime) -> None:
    ada, bo, _ = committed.seats.order_by("pk")
    card = on_table(committed)
    first, second = overlap(
        lambda: say(committed, (ada, "human"), now=now, card=card),
        # Begun with Bo, whom the first goes on with, each would wait for the other.
        lambda: say(committed, (bo, "machine"), (ada, "machine"), now=now, card=card),
        then=lambda: say(committed, (bo, "human"), now=now, card=card),
    )
    assert (codes(first), second) == (["kept"], [Outcome(Code.KNOWN, "human")] * 2)


@pytest.mark.parametrize("round_", range(3))
def test_of_answers_and_the_end_of_the_time_all_at_once_none_is_both_or_neither(
    committed: ClassSession, now: datetime, round_: int
) -> None:
    Seat.objects.bulk_create(Seat(session=committed, name=f"Otter {number}", code=f"{number:06}") for number in range(12))
    seats = list(committed.seats.order_by("pk"))
    card, moment = on_table(committed), now + DUE - timedelta(microseconds=1)

    def race(number: int) -> Any:
        if number % 7 == round_:
            act(session_id=committed.pk, action=Action.EXPIRE, version=committed.version, now=now + DUE)
            return read_stage(again(committed)).answered
        return say(committed, (seats[number], "human"), now=moment, card=card)[0].code

    told = at_once(14, race)
    revealed = [each for each in told if isinstance(each, int)]
    kept = {seats[number].pk for number, code in enumerate(told) if code == Code.KEPT}
    assert Counter(told)[Code.KEPT] + Counter(told)[Code.LATE] == 12
    assert set(revealed) == {len(kept)}
    assert set(Answer.objects.values_list("seat", flat=True)) == kept


def test_twenty_phones_of_one_seat_at_once_store_one_answer(committed: ClassSession, now: datetime) -> None:
    ada, *_ = committed.seats.order_by("pk")
    card = on_table(committed)
    told = at_once(20, lambda number: say(committed, (ada, ("human", "machine")[number % 2]), now=now, card=card)[0])
    verdict = Answer.objects.get().verdict
    assert Counter(told) == {Outcome(Code.KEPT, verdict): 1, Outcome(Code.KNOWN, verdict): 19}


def test_the_last_two_to_answer_at_once_turn_the_card(committed: ClassSession, now: datetime) -> None:
    card = on_table(committed)
    seats = list(committed.seats.order_by("pk"))
    told = at_once(3, lambda number: say(committed, (seats[number], "human"), now=now, card=card)[0].code)
    assert told == ["kept"] * 3
    assert (again(committed).phase, again(committed).version) == ("reveal", 2)
