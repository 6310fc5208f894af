import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from game.classroom import rules, services
from game.classroom.answers import Code, GivenAnswer, Outcome, store_answers
from game.classroom.models import Answer, ClassCard, ClassSession, Seat
from game.classroom.rules import GRACE, POINTS_FOOLED, Action, Phase
from game.classroom.selectors import find_session, read_stage, read_standings
from game.classroom.services import act, kick
from game.pool.models import Category
from tests.game.classroom.classes import CARD_TIME, at_once, hold_class, on_table, press, say, seat
from tests.game.classroom.held import deal_text

SECOND = timedelta(seconds=1)
DUE = CARD_TIME + GRACE


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def live(category: Category, now: datetime) -> ClassSession:
    """Return a class in its lobby, of four cards, after each of which its truth is shown, and no standings."""
    return hold_class([category], now=now, show="end")


def again(session: ClassSession) -> ClassSession:
    found = find_session(session.code)
    assert found
    return found


def other(verdict: str) -> str:
    return {"human": "machine", "machine": "human"}[verdict]


def codes(outcomes: list[Outcome]) -> list[str]:
    return [outcome.code for outcome in outcomes]


def test_an_answer_is_stored_with_what_it_is_worth(category: Category, now: datetime) -> None:
    live = hold_class([category], now=now, speed_points=True)
    ada, bo, _ = seat(live, 3, now=now)
    live = press(live, "start", now=now)
    truth = on_table(live).kind
    assert say(live, (ada, truth), now=now + 5 * SECOND) == [Outcome(Code.KEPT, truth)]
    assert say(live, (bo, other(truth)), now=now + 6 * SECOND) == [Outcome(Code.KEPT, other(truth))]
    stored = Answer.objects.order_by("pk").values_list("card__position", "seat", "verdict", "right", "elapsed", "points", "at")
    assert list(stored) == [
        (1, ada.pk, truth, True, 5 * SECOND, 175, now + 5 * SECOND),
        (1, bo.pk, other(truth), False, 6 * SECOND, 0, now + 6 * SECOND),
    ]


def test_the_first_answer_counts_and_is_given_back_ever_after(live: ClassSession, now: datetime) -> None:
    ada, _ = seat(live, 2, now=now)
    live = press(live, "start", now=now)
    first = on_table(live)
    assert say(live, (ada, "human"), now=now) == [Outcome(Code.KEPT, "human")]
    assert say(live, (ada, "machine"), now=now) == [Outcome(Code.KNOWN, "human")]
    # The phone whose connection broke asks again, cards later, whether its answer came in.
    for action in ("next", "next", "end"):
        live = press(live, action, now=now)
        assert say(live, (ada, "machine"), now=now + SECOND, card=first) == [Outcome(Code.KNOWN, "human")]
    assert Answer.objects.get().verdict == "human"


def test_of_two_answers_of_a_seat_in_a_batch_the_first_counts(live: ClassSession, now: datetime) -> None:
    ada, bo, _ = seat(live, 3, now=now)
    live = press(live, "start", now=now)
    said = say(live, (ada, "human"), (bo, "machine"), (ada, "machine"), (bo, "machine"), now=now)
    assert said == [
        Outcome(Code.KEPT, "human"),
        Outcome(Code.KEPT, "machine"),
        Outcome(Code.KNOWN, "human"),
        Outcome(Code.KNOWN, "machine"),
    ]


def test_what_does_not_count_is_told_why_and_not_stored(live: ClassSession, now: datetime) -> None:
    ada, mallory = seat(live, 2, now=now)
    (stranger,) = seat(hold_class(list(live.categories.all()), now=now, seed=2), 1, now=now)
    kick(seat=mallory, now=now)
    live = press(live, "start", "skip", now=now)
    first, second, third = live.cards.all()[:3]
    assert codes(say(live, (ada, "human"), now=now, card=first)) == ["late"]
    assert codes(say(live, (ada, "human"), now=now, card=third)) == ["wrong-card"]
    foreign = hold_class(list(live.categories.all()), now=now, seed=3).cards.all()[0]
    assert codes(say(live, (ada, "human"), now=now, card=foreign)) == ["wrong-card"]
    assert codes(say(live, (mallory, "human"), (stranger, "human"), now=now, card=second)) == ["no-seat", "no-seat"]
    assert codes(say(live, (ada, "human"), now=now + DUE, card=second)) == ["late"]
    assert store_answers(session_id=live.pk, answers=[]) == []
    gone = store_answers(session_id=0, answers=[GivenAnswer(ada.token, second.token, "human", now)])
    assert codes(gone) == ["no-seat"]
    assert not Answer.objects.exists()


@pytest.mark.parametrize("actions", [[], ["start", "next"], ["start", "next", "next", "end"], ["start", "end"]])
def test_only_a_card_on_the_table_takes_answers(live: ClassSession, now: datetime, actions: list[str]) -> None:
    (ada,) = seat(live, 1, now=now)
    live = press(live, *actions, now=now)
    expected = "late" if live.position else "wrong-card"
    assert codes(say(live, (ada, "human"), now=now, card=live.cards.all()[0])) == [expected]


def test_what_was_pressed_in_the_last_moment_counts(live: ClassSession, now: datetime) -> None:
    ada, bo, _ = seat(live, 3, now=now)
    live = press(live, "start", now=now)
    assert codes(say(live, (ada, "human"), now=now + DUE - timedelta(microseconds=1))) == ["kept"]
    assert codes(say(live, (bo, "human"), now=now + DUE)) == ["late"]


def test_an_answer_after_the_time_moves_the_class_on(live: ClassSession, now: datetime) -> None:
    ada, _ = seat(live, 2, now=now)
    live = press(live, "start", now=now)
    say(live, (ada, "human"), now=now + DUE)
    assert again(live).phase == "reveal"


def test_an_answer_counts_while_the_class_is_paused_and_does_not_move_it_on(live: ClassSession, now: datetime) -> None:
    (ada,) = seat(live, 1, now=now)
    live = press(live, "start", "pause", now=now)
    assert codes(say(live, (ada, "human"), now=now + timedelta(hours=1))) == ["kept"]
    assert again(live).phase == "card"


def test_the_card_is_turned_once_everybody_has_answered(live: ClassSession, now: datetime) -> None:
    ada, bo, mallory = seat(live, 3, now=now)
    kick(seat=mallory, now=now)
    live = press(live, "start", now=now)
    say(live, (ada, "human"), now=now)
    assert again(live).phase == "card"
    say(live, (bo, "human"), now=now)
    assert (again(live).phase, again(live).version) == ("reveal", 2)


def test_whoever_wrote_a_text_does_not_guess_it_and_is_not_waited_for(category: Category, now: datetime) -> None:
    live = hold_class([category], now=now, cards=0, mode="write", writing_time=timedelta(minutes=5), prompt="Tonight I will")
    ada, bo, eve = seat(live, 3, now=now)
    deal_text(live, 1, seat=ada)
    live = press(live, "start", "next", now=now)
    live = again(live)
    ClassSession.objects.filter(pk=live.pk).update(phase=Phase.CARD, position=1)
    live = again(live)
    assert codes(say(live, (ada, "human"), (bo, "machine"), now=now)) == ["not-yours", "kept"]
    assert again(live).phase == "card"
    assert codes(say(live, (eve, "human"), now=now)) == ["kept"]
    live = again(live)
    assert live.phase == "reveal"
    # Bo took Ada for a bot, which is worth points to her; Eve was right.
    assert [(line.name, line.points) for line in read_standings(live)] == [(eve.name, 100), (ada.name, POINTS_FOOLED), (bo.name, 0)]


def test_answers_are_told_to_the_teacher_and_not_to_every_student(
    live: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    ada, _ = seat(live, 2, now=now)
    live = press(live, "start", now=now)
    rooms: list[str] = []
    monkeypatch.setattr(services, "announce", lambda *, topic, keys: rooms.append(topic))
    with django_capture_on_commit_callbacks(execute=True):
        say(live, (ada, "human"), now=now)
        say(live, (ada, "human"), now=now)
    assert rooms == ["class-host", "class-presenter"]


def test_a_thousand_answers_take_as_many_queries_as_one(category: Category, now: datetime) -> None:
    live = hold_class([category], now=now, speed_points=True)
    Seat.objects.bulk_create(Seat(session=live, name=f"Otter {number}", code=f"{number:06}") for number in range(1_005))
    silent, *seats = live.seats.all()
    live = press(live, "start", now=now)
    truth = on_table(live).kind
    counts = []
    for batch in (seats[:1], seats[1:4], seats[4:]):
        with CaptureQueriesContext(connection) as queries:
            said = say(live, *((each, truth) for each in batch), now=now + 10 * SECOND)
        assert said == [Outcome(Code.KEPT, truth)] * len(batch)
        counts.append(len(queries))
    assert len(set(counts)) == 1
    assert Answer.objects.aggregate(Sum("points"))["points__sum"] == 1_004 * 150
    assert again(live).phase == "card"
    # And once more what all have said, the last one with them.
    said = say(live, *((each, other(truth)) for each in (*seats, silent)), now=now + 11 * SECOND)
    assert Counter(said) == {Outcome(Code.KNOWN, truth): 1_004, Outcome(Code.KEPT, other(truth)): 1}
    assert again(live).phase == "reveal"


def expected_points(cards: list[ClassCard]) -> int:
    answers = Answer.objects.filter(card__in=cards, seat__kicked_at=None)
    fooled = answers.filter(verdict="machine", card__text__seat__isnull=False, card__text__seat__kicked_at=None).count()
    return (answers.aggregate(Sum("points"))["points__sum"] or 0) + POINTS_FOOLED * fooled


@pytest.fixture
def texts(category: Category, now: datetime) -> ClassSession:
    """Return a class with two cards of the pool, and one of each of two of its four students."""
    session = hold_class([category], now=now, cards=2, show="each", speed_points=True)
    for position, writer in enumerate(seat(session, 4, now=now)[:2], 3):
        deal_text(session, position, seat=writer)
    return again(session)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dice=st.randoms(use_true_random=False))
def test_scores_always_add_up(texts: ClassSession, now: datetime, dice: random.Random) -> None:
    with transaction.atomic():
        session, late = texts, 0
        for step in range(25):
            moment = now + step * SECOND
            seats = list(session.seats.all())
            session = again(session)
            match dice.choice(("answer", "answer", "answer", "act", "act", "kick", "join")):
                case "answer" if session.position:
                    said = [(dice.choice(seats), dice.choice(("human", "machine"))) for _ in range(dice.randint(1, 4))]
                    say(session, *said, now=moment)
                case "act":
                    action = dice.choice((Action.START, Action.NEXT, Action.NEXT, Action.SKIP, Action.PAUSE, Action.RESUME, Action.EXTEND))
                    act(session_id=session.pk, action=action, version=session.version, now=moment)
                case "kick" if step % 5 == 0:
                    kick(seat=dice.choice(seats), now=moment)
                case "join":
                    late += 1
                    Seat.objects.create(session=session, name=f"Late {late}", code=f"{late:06}")
            check_scores(again(session))
        transaction.set_rollback(True)


def check_scores(session: ClassSession) -> None:
    is_open = session.phase == Phase.CARD
    shown = session.cards.filter(skipped=False, position__lte=session.position - is_open)
    lines = read_standings(session)
    assert sum(line.points for line in lines) == expected_points(list(shown))
    assert len(lines) == session.seats.filter(kicked_at=None).count()
    answers = Answer.objects.filter(card__in=shown)
    for line in lines:
        own = answers.filter(seat=line.seat_id)
        assert (line.answered, line.right) == (own.count(), own.filter(right=True).count())
        assert line.rank == 1 + sum(each.points > line.points for each in lines)


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


@pytest.fixture
def committed(fill: Callable[..., Category], transactional_db: None, now: datetime) -> ClassSession:
    """Return a class that other connections see, with a card on the table and three students, one of whom is silent."""
    session = hold_class([fill()], now=now, show="end")
    seat(session, 3, now=now)
    return press(session, "start", now=now)


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


def test_who_opens_the_door_meanwhile_does_not_keep_the_card_from_being_turned(
    live: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ada,) = seat(live, 1, now=now)
    live = press(live, "start", now=now)
    is_answered = services._is_answered

    def lock_first(session: ClassSession) -> bool:
        act(session_id=session.pk, action=Action.LOCK, version=1, now=now)
        return is_answered(session)

    monkeypatch.setattr(services, "_is_answered", lock_first)
    say(live, (ada, "human"), now=now)
    assert (again(live).state.locked, again(live).phase) == (True, rules.Phase.REVEAL)
