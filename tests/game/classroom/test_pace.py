"""Cards at one's own pace: homework."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from game.classroom import pace, pace_selectors, rules
from game.classroom.models import Answer, ClassCard, ClassSession
from game.classroom.rules import Action
from game.classroom.seats import join_class
from game.classroom.services import act, kick, move_on_what_is_due
from game.pool.models import Category
from tests.game.classroom.classes import hold_class, play, seat, withdraw
from tests.threads import at_once

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
WEEK = timedelta(days=7)


def homework(category: Category, **chosen: Any) -> ClassSession:
    return hold_class([category], now=NOW, mode="homework", card_time=None, **{"deadline": NOW + WEEK, **chosen})


def test_everybody_is_shown_the_same_cards_in_the_same_order(category: Category) -> None:
    session = homework(category)
    dealt = list(session.cards.values_list("token", flat=True))
    for student in seat(session, 2, now=NOW):
        shown = []
        while card := pace.show_card(seat_id=student.pk, now=NOW).card:
            shown.append(card.token)
            pace.answer_card(seat_id=student.pk, token=card.token, verdict="human", now=NOW)
        assert shown == dealt


def test_a_card_that_is_asked_for_again_stays_and_its_time_runs_from_the_first_showing(category: Category) -> None:
    (student,) = seat(homework(category), 1, now=NOW)
    first = pace.show_card(seat_id=student.pk, now=NOW)
    again = pace.show_card(seat_id=student.pk, now=NOW + timedelta(days=2))
    assert first == again == pace.Place(first.card, 1, 4)
    assert first.card
    assert pace.answer_card(seat_id=student.pk, token=first.card.token, verdict="human", now=NOW + timedelta(days=2, seconds=7)) == "kept"
    answer = Answer.objects.get()
    assert (answer.elapsed, answer.at) == (timedelta(days=2, seconds=7), NOW + timedelta(days=2, seconds=7))
    assert pace.show_card(seat_id=student.pk, now=NOW).position == 2


def test_only_the_card_on_ones_table_takes_an_answer_and_the_first_one_counts(category: Category) -> None:
    session = homework(category)
    (student,) = seat(session, 1, now=NOW)
    first, second = session.cards.all()[:2]
    assert pace.answer_card(seat_id=student.pk, token=first.token, verdict="human", now=NOW) == "wrong-card"
    pace.show_card(seat_id=student.pk, now=NOW)
    assert pace.answer_card(seat_id=student.pk, token=second.token, verdict="human", now=NOW) == "wrong-card"
    assert pace.answer_card(seat_id=student.pk, token=first.token, verdict="human", now=NOW) == "kept"
    assert pace.answer_card(seat_id=student.pk, token=first.token, verdict="machine", now=NOW) == "known"
    pace.show_card(seat_id=student.pk, now=NOW)
    assert pace.answer_card(seat_id=student.pk, token=first.token, verdict="machine", now=NOW) == "known"
    assert [answer.verdict for answer in Answer.objects.all()] == ["human"]


def test_an_answer_is_worth_what_the_rules_say(category: Category) -> None:
    (student,) = seat(homework(category), 1, now=NOW)
    place = pace.show_card(seat_id=student.pk, now=NOW)
    while place.card:
        truth = ClassCard.objects.get(pk=place.card.pk).kind
        said = truth if place.position % 2 else {"human": "machine", "machine": "human"}[truth]
        pace.answer_card(seat_id=student.pk, token=place.card.token, verdict=said, now=NOW)
        place = pace.show_card(seat_id=student.pk, now=NOW)
    assert list(Answer.objects.order_by("card__position").values_list("right", "points")) == [(True, 100), (False, 0)] * 2


@pytest.mark.django_db(transaction=True)
def test_two_devices_of_a_seat_at_once_store_one_answer_and_see_one_card(category: Category) -> None:
    session = homework(category)
    (student,) = seat(session, 1, now=NOW)
    shown = at_once(4, lambda number: pace.show_card(seat_id=student.pk, now=NOW + number * SECOND))
    card = session.cards.first()
    assert card
    assert {place.card.token for place in shown} == {card.token}
    became = at_once(
        4, lambda number: pace.answer_card(seat_id=student.pk, token=card.token, verdict=("human", "machine")[number % 2], now=NOW)
    )
    assert sorted(became) == ["kept", "known", "known", "known"]
    assert Answer.objects.count() == 1


def test_a_seat_of_another_class_and_one_that_was_sent_out_answer_nothing(category: Category) -> None:
    session = homework(category)
    student, sent_out = seat(session, 2, now=NOW)
    (stranger,) = seat(homework(category, seed=2), 1, now=NOW)
    for each in (student, sent_out, stranger):
        pace.show_card(seat_id=each.pk, now=NOW)
    kick(seat=sent_out, now=NOW)
    token = session.cards.all()[0].token
    assert pace.answer_card(seat_id=stranger.pk, token=token, verdict="human", now=NOW) == "wrong-card"
    assert pace.answer_card(seat_id=sent_out.pk, token=token, verdict="human", now=NOW) == "no-seat"
    assert Answer.objects.count() == 0


def test_cards_are_shown_until_the_date_and_answers_taken_a_moment_longer(category: Category) -> None:
    session = homework(category)
    (student,) = seat(session, 1, now=NOW)
    end = NOW + WEEK
    assert pace.is_open(session, end - SECOND)
    assert not pace.is_open(session, end)
    assert play(student, "human", now=end - SECOND) == ["kept"]
    card = pace.show_card(seat_id=student.pk, now=end - SECOND).card
    assert card
    assert pace.answer_card(seat_id=student.pk, token=card.token, verdict="human", now=end + rules.GRACE) == "late"
    assert Answer.objects.count() == 1


def test_the_clock_closes_what_is_due_and_nothing_else(category: Category) -> None:
    due, later, never = homework(category), homework(category, deadline=NOW + 2 * WEEK, seed=2), homework(category, deadline=None, seed=3)
    move_on_what_is_due(now=NOW + WEEK + rules.GRACE)
    phases = {session.pk: session.phase for session in ClassSession.objects.all()}
    assert phases == {due.pk: "podium", later.pk: "lobby", never.pk: "lobby"}
    assert ClassSession.objects.get(pk=due.pk).ended_at == NOW + WEEK + rules.GRACE


def test_what_its_teacher_closes_takes_no_answers(category: Category) -> None:
    session = homework(category)
    (student,) = seat(session, 1, now=NOW)
    card = pace.show_card(seat_id=student.pk, now=NOW).card
    assert card
    assert act(session_id=session.pk, action=Action.END, version=session.version, now=NOW)
    assert pace.answer_card(seat_id=student.pk, token=card.token, verdict="human", now=NOW) == "late"


def test_the_date_can_be_put_off_but_not_for_ever_nor_twice_by_one_press_nor_once_it_is_past(category: Category) -> None:
    session = homework(category)
    deletes_at = session.delete_at
    ClassSession.objects.update(created_at=NOW)
    session.refresh_from_db()
    assert pace.put_off(session=session, by=WEEK, now=NOW)
    assert not pace.put_off(session=session, by=WEEK, now=NOW)
    session.refresh_from_db()
    assert (session.deadline, session.delete_at, session.version) == (NOW + 2 * WEEK, deletes_at + WEEK, 1)
    assert not pace.put_off(session=session, by=WEEK, now=NOW + 2 * WEEK)
    assert not pace.put_off(session=session, by=pace.LONGEST, now=NOW)
    act(session_id=session.pk, action=Action.END, version=1, now=NOW)
    session.refresh_from_db()
    assert not pace.put_off(session=session, by=WEEK, now=NOW)


def test_homework_that_is_closed_early_is_kept_from_that_day_on(category: Category) -> None:
    session = homework(category, keep_days=30)
    act(session_id=session.pk, action=Action.END, version=session.version, now=NOW + timedelta(days=2))
    session.refresh_from_db()
    assert (session.ended_at, session.delete_at) == (NOW + timedelta(days=2), NOW + timedelta(days=32))


def test_homework_that_closes_on_its_day_is_kept_from_there(category: Category) -> None:
    session = homework(category, keep_days=30)
    assert act(session_id=session.pk, action=Action.EXPIRE, version=session.version, now=NOW + WEEK + rules.GRACE)
    session.refresh_from_db()
    assert (session.phase, session.delete_at) == (rules.Phase.PODIUM, NOW + WEEK + timedelta(days=30))


def test_a_tweet_that_leaves_the_game_is_left_out_for_those_who_have_not_judged_it(category: Category) -> None:
    session = homework(category)
    early, late = seat(session, 2, now=NOW)
    play(early, "human", now=NOW)
    first = session.cards.all()[0]
    assert pace.show_card(seat_id=late.pk, now=NOW).card == first
    withdraw(first)
    assert pace.answer_card(seat_id=late.pk, token=first.token, verdict="human", now=NOW) == "gone"
    assert pace.answer_card(seat_id=early.pk, token=first.token, verdict="human", now=NOW) == "known"
    place = pace.show_card(seat_id=late.pk, now=NOW)
    assert (place.card, place.position, place.total) == (session.cards.all()[1], 1, 3)
    assert pace.show_card(seat_id=early.pk, now=NOW).total == 4
    play(late, *["human"] * 3, now=NOW)
    assert pace.show_card(seat_id=late.pk, now=NOW).card is None
    assert [card["withdrawn"] for card in pace_selectors.read_cards(early)] == [True]
    assert [(each.answered, each.total, each.is_finished) for each in pace_selectors.read_progress(session)] == sorted(
        [(1, 4, False), (3, 3, True)], key=lambda line: line[0] != (1 if early.name < late.name else 3)
    )


def test_progress_tells_who_has_begun_and_nothing_of_who_was_sent_out(category: Category) -> None:
    session = homework(category)
    begun, waiting, sent_out = seat(session, 3, now=NOW)
    play(begun, "human", "human", now=NOW)
    kick(seat=sent_out, now=NOW)
    found = {each.name: (each.has_begun, each.answered, each.total) for each in pace_selectors.read_progress(session)}
    assert found == {begun.name: (True, 2, 4), waiting.name: (False, 0, 4)}


def test_progress_takes_as_many_statements_for_three_as_for_one(category: Category, django_assert_num_queries: Any) -> None:
    session = homework(category)
    for joined in (1, 3):
        while session.seats.count() < joined:
            play(join_class(session=session, name="", now=NOW, rng=random.Random(joined)), "human", now=NOW)
        with django_assert_num_queries(2):
            pace_selectors.read_progress(session)
