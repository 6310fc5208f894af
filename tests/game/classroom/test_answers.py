import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import hypothesis
import pytest
from django.db import connection, transaction
from django.db.models import F, Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from game.classroom import rules, services
from game.classroom.answers import Code, GivenAnswer, Outcome, store_answers
from game.classroom.models import Answer, ClassSession, Seat
from game.classroom.rules import GRACE, POINTS_FOOLED, Action, Phase
from game.classroom.selectors import find_session, read_stage, read_standings
from game.classroom.services import act, kick
from game.pool.models import Category
from tests.game.classroom.classes import CARD_TIME, hold_class, on_table, press, say, seat
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


@pytest.fixture
def texts(category: Category, now: datetime) -> ClassSession:
    """Return a class with a card of each of two of its four students, and two cards of the pool."""
    session = hold_class([category], now=now, cards=2, show="each", speed_points=True)
    session.cards.update(position=F("position") + 2)
    for position, writer in enumerate(seat(session, 4, now=now)[:2], 1):
        deal_text(session, position, seat=writer)
    return again(session)


def test_what_somebody_said_who_was_sent_out_counts_for_nobody(texts: ClassSession, now: datetime) -> None:
    ada, _, eve, mallory = texts.seats.order_by("pk")
    session = press(texts, "start", now=now)
    say(session, (eve, "machine"), (mallory, "machine"), now=now)
    kick(seat=mallory, now=now)
    session = press(session, "next", now=now)
    stage = read_stage(again(session))
    assert (stage.seats, stage.answered, stage.said_machine) == (3, 1, 1)
    assert {line.name: line.points for line in read_standings(session) if line.points} == {ada.name: POINTS_FOOLED}


# No seed is simpler than another.
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=[hypothesis.Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_scores_always_add_up(texts: ClassSession, now: datetime, seed: int) -> None:
    dice = random.Random(seed)
    with transaction.atomic():
        session, late = press(texts, "start", now=now), 0
        for step in range(20):
            moment = now + step * SECOND
            seats = list(session.seats.all())
            session = again(session)
            match dice.choice(("answer", "answer", "answer", "act", "act", "kick", "join")):
                case "answer":
                    said = [(dice.choice(seats), dice.choice(("human", "machine"))) for _ in range(dice.randint(1, 4))]
                    say(session, *said, now=moment)
                case "act":
                    action = dice.choice((Action.NEXT, Action.NEXT, Action.NEXT, Action.SKIP, Action.PAUSE, Action.RESUME, Action.EXTEND))
                    act(session_id=session.pk, action=action, version=session.version, now=moment)
                case "kick" if step > 5:
                    kick(seat=dice.choice(seats), now=moment)
                case "join":
                    late += 1
                    Seat.objects.create(session=session, name=f"Late {late}", code=f"{late:06}")
            check_scores(again(session))
        transaction.set_rollback(True)


def check_scores(session: ClassSession) -> None:
    shown = session.cards.filter(skipped=False, position__lte=session.position - (session.phase == Phase.CARD))
    seated = set(session.seats.filter(kicked_at=None).values_list("pk", flat=True))
    points, rights, answered = Counter(dict.fromkeys(seated, 0)), Counter[int](), Counter[int]()
    answers = Answer.objects.filter(card__in=shown, seat__in=seated).values_list("seat", "verdict", "right", "points", "card__text__seat")
    for seat_id, verdict, right, earned, writer in answers:
        points[seat_id] += earned
        rights[seat_id] += right
        answered[seat_id] += 1
        if writer in seated and verdict == "machine":
            points[writer] += POINTS_FOOLED
    lines = read_standings(session)
    assert {line.seat_id: (line.points, line.right, line.answered) for line in lines} == {
        each: (points[each], rights[each], answered[each]) for each in seated
    }
    assert [line.rank for line in lines] == [1 + sum(each > line.points for each in points.values()) for line in lines]


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
