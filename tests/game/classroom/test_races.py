"""What happens at the same moment, on connections of its own, as in two processes."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Thread
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
from tests.game.classroom.classes import CARD_TIME, at_once, hold_class, on_table, press, say, seat

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


def wait_for_a_lock() -> None:
    """Wait until somebody waits for a lock."""
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            if cursor.fetchone()[0]:
                return


def in_thread(work: Callable[[], Any]) -> tuple[Thread, list[Any]]:
    """Begin `work` in a thread; return the thread and a list that will hold what it returned."""
    returned: list[Any] = []

    def run() -> None:
        try:
            returned.append(work())
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    return thread, returned


def test_an_answer_that_is_being_stored_when_the_time_is_up_is_in_the_reveal(committed: ClassSession, now: datetime) -> None:
    ada, *_ = committed.seats.order_by("pk")
    moment = now + DUE - timedelta(microseconds=1)
    stored, go_on = Event(), Event()

    def answer() -> list[Outcome]:
        with transaction.atomic():
            outcomes = say(committed, (ada, "human"), now=moment)
            stored.set()
            go_on.wait()
        return outcomes

    def expire() -> tuple[str, int]:
        moved = act(session_id=committed.pk, action=Action.EXPIRE, version=committed.version, now=now + DUE)
        assert moved
        return moved.phase, read_stage(again(moved)).answered

    answering, outcomes = in_thread(answer)
    stored.wait()
    expiring, revealed = in_thread(expire)
    wait_for_a_lock()
    go_on.set()
    answering.join()
    expiring.join()
    assert codes(outcomes[0]) == ["kept"]
    assert revealed == [("reveal", 1)]


def test_an_answer_that_comes_while_the_card_is_being_turned_is_late(committed: ClassSession, now: datetime) -> None:
    ada, *_ = committed.seats.order_by("pk")
    card = on_table(committed)
    turned, go_on = Event(), Event()

    def expire() -> None:
        with transaction.atomic():
            assert act(session_id=committed.pk, action=Action.EXPIRE, version=committed.version, now=now + DUE)
            turned.set()
            go_on.wait()

    expiring, _ = in_thread(expire)
    turned.wait()
    answering, outcomes = in_thread(lambda: say(committed, (ada, "human"), now=now, card=card))
    wait_for_a_lock()
    go_on.set()
    answering.join()
    expiring.join()
    assert codes(outcomes[0]) == ["late"]
    assert not Answer.objects.exists()


def test_a_student_who_is_being_sent_out_answers_before_it_or_not_at_all(committed: ClassSession, now: datetime) -> None:
    ada, *_ = committed.seats.order_by("pk")
    card = on_table(committed)
    out, go_on = Event(), Event()

    def send_out() -> None:
        with transaction.atomic():
            kick(seat=ada, now=now)
            out.set()
            go_on.wait()

    kicking, _ = in_thread(send_out)
    out.wait()
    answering, outcomes = in_thread(lambda: say(committed, (ada, "human"), now=now, card=card))
    wait_for_a_lock()
    go_on.set()
    answering.join()
    kicking.join()
    assert codes(outcomes[0]) == ["no-seat"]


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


def test_batches_of_the_same_students_in_any_order_do_not_lock_each_other_out(committed: ClassSession, now: datetime) -> None:
    Seat.objects.bulk_create(Seat(session=committed, name=f"Otter {number}", code=f"{number:06}") for number in range(200))
    seats = list(committed.seats.order_by("pk"))[1:]
    card = on_table(committed)

    def hand_in(number: int) -> list[Outcome]:
        mixed = random.Random(number).sample(seats, len(seats))
        return say(committed, *((each, "human") for each in mixed), now=now, card=card)

    told = Counter(outcome.code for outcomes in at_once(6, hand_in) for outcome in outcomes)
    assert told == {Code.KEPT: len(seats), Code.KNOWN: 5 * len(seats)}


def test_the_last_two_to_answer_at_once_turn_the_card(committed: ClassSession, now: datetime) -> None:
    card = on_table(committed)
    seats = list(committed.seats.order_by("pk"))
    told = at_once(3, lambda number: say(committed, (seats[number], "human"), now=now, card=card)[0].code)
    assert told == ["kept"] * 3
    assert (again(committed).phase, again(committed).version) == ("reveal", 2)
