"""Homework and challenges: cards at one's own pace."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from game.accounts.models import Player
from game.accounts.services import attach_player, create_guest
from game.classroom import pace, pace_selectors, rules
from game.classroom.challenge import NothingLeft, make_challenge, sit_down
from game.classroom.models import Answer, ClassCard, ClassSession, Seat
from game.classroom.rules import Action
from game.classroom.seats import join_class
from game.classroom.selectors import read_standings
from game.classroom.services import act, kick, move_on_what_is_due
from game.play.models import Round
from game.play.services import show_next_card, start_round, submit_guess
from game.pool.models import Category, Status, Tweet
from tests.game.classroom.classes import at_once, hold_class, seat

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
WEEK = timedelta(days=7)


def homework(category: Category, **chosen: Any) -> ClassSession:
    return hold_class([category], now=NOW, mode="homework", card_time=None, **{"deadline": NOW + WEEK, **chosen})


def play(student: Seat, *verdicts: str, now: datetime = NOW) -> list[str]:
    """Answer one card after the other, each a second after it was shown; return what became of each."""
    became = []
    for verdict in verdicts:
        card = pace.show_card(seat_id=student.pk, now=now).card
        assert card
        became.append(pace.answer_card(seat_id=student.pk, token=card.token, verdict=verdict, now=now + SECOND))
    return became


def withdraw(card: ClassCard) -> None:
    Tweet.objects.filter(pk=card.tweet_id).update(status=Status.WITHDRAWN)


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


def test_a_tweet_that_leaves_the_game_is_left_out_for_those_who_have_not_judged_it(category: Category) -> None:
    session = homework(category)
    early, late = seat(session, 2, now=NOW)
    play(early, "human")
    first = session.cards.all()[0]
    assert pace.show_card(seat_id=late.pk, now=NOW).card == first
    withdraw(first)
    assert pace.answer_card(seat_id=late.pk, token=first.token, verdict="human", now=NOW) == "gone"
    assert pace.answer_card(seat_id=early.pk, token=first.token, verdict="human", now=NOW) == "known"
    place = pace.show_card(seat_id=late.pk, now=NOW)
    assert (place.card, place.position, place.total) == (session.cards.all()[1], 1, 3)
    assert pace.show_card(seat_id=early.pk, now=NOW).total == 4
    play(late, *["human"] * 3)
    assert pace.show_card(seat_id=late.pk, now=NOW).card is None
    assert [card["withdrawn"] for card in pace_selectors.read_cards(early)] == [True]
    assert [(each.answered, each.total, each.is_finished) for each in pace_selectors.read_progress(session)] == sorted(
        [(1, 4, False), (3, 3, True)], key=lambda line: line[0] != (1 if early.name < late.name else 3)
    )


def test_progress_tells_who_has_begun_and_nothing_of_who_was_sent_out(category: Category) -> None:
    session = homework(category)
    begun, waiting, sent_out = seat(session, 3, now=NOW)
    play(begun, "human", "human")
    kick(seat=sent_out, now=NOW)
    found = {each.name: (each.has_begun, each.answered, each.total) for each in pace_selectors.read_progress(session)}
    assert found == {begun.name: (True, 2, 4), waiting.name: (False, 0, 4)}


def test_progress_takes_as_many_statements_for_three_as_for_one(category: Category, django_assert_num_queries: Any) -> None:
    session = homework(category)
    for joined in (1, 3):
        while session.seats.count() < joined:
            play(join_class(session=session, name="", now=NOW, rng=random.Random(joined)), "human")
        with django_assert_num_queries(2):
            pace_selectors.read_progress(session)


def finish_round(category: Category, player: Player | None = None, seed: int = 5) -> Round:
    """Play a round, guessing Human throughout."""
    player, rng = player or create_guest(), random.Random(seed)
    round_ = start_round(player_id=player.pk, category=category, now=NOW, rng=rng)
    while card := show_next_card(round_=round_, now=NOW, rng=rng):
        submit_guess(card=card, verdict="human", now=NOW + SECOND)
    round_.refresh_from_db()
    return round_


def challenge(round_: Round, seed: int = 1) -> tuple[ClassSession, Seat]:
    return make_challenge(round_=round_, now=NOW, rng=random.Random(seed))


def test_a_challenge_has_the_cards_of_the_round_in_another_order_and_its_players_guesses(category: Category) -> None:
    round_ = finish_round(category)
    session, maker = challenge(round_)
    of_round = list(round_.cards.values_list("tweet", flat=True))
    of_challenge = list(session.cards.values_list("tweet", flat=True))
    assert sorted(of_challenge) == sorted(of_round)
    assert of_challenge != of_round
    assert (session.mode, session.player, session.teacher, session.deadline) == ("challenge", round_.player, None, None)
    assert session.delete_at == NOW + timedelta(days=30)
    guesses = {card.tweet_id: (card.guess.verdict, card.guess.right, card.guess.elapsed, card.guess.at) for card in round_.cards.all()}
    answers = Answer.objects.filter(seat=maker).select_related("card")
    assert {answer.card.tweet_id: (answer.verdict, answer.right, answer.elapsed, answer.at) for answer in answers} == guesses
    assert pace.show_card(seat_id=maker.pk, now=NOW).card is None
    (line,) = read_standings(session)
    assert (line.name, line.answered, line.points) == (maker.name, 10, 100 * line.right)


def test_one_round_makes_one_challenge_and_another_round_another(category: Category) -> None:
    first = finish_round(category)
    session, maker = challenge(first)
    withdraw(session.cards.all()[0])
    assert challenge(first, seed=2) == (session, maker)
    other, _ = challenge(finish_round(category, player=first.player), seed=3)
    assert other != session
    assert ClassSession.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_challenge_asked_for_twice_at_once_is_made_once(category: Category) -> None:
    round_ = finish_round(category)
    made = at_once(3, lambda number: challenge(round_, seed=number)[0].pk)
    assert len(set(made)) == ClassSession.objects.count() == Seat.objects.count() == 1


def test_tweets_that_have_left_the_game_come_into_no_challenge(category: Category) -> None:
    round_ = finish_round(category)
    first, *others = round_.cards.select_related("tweet")
    Tweet.objects.filter(pk=first.tweet_id).update(status=Status.WITHDRAWN)
    session, maker = challenge(round_)
    assert set(session.cards.values_list("tweet", flat=True)) == {card.tweet_id for card in others}
    assert maker.answers.count() == 9


def test_a_round_of_which_no_tweet_is_left_makes_no_challenge(category: Category) -> None:
    round_ = finish_round(category)
    Tweet.objects.update(status=Status.WITHDRAWN)
    with pytest.raises(NothingLeft):
        challenge(round_)
    assert ClassSession.objects.count() == 0


@pytest.mark.parametrize(("name", "is_shown"), [("Brave Otter", True), ("fuck you", False), ("Mail me at ada@example.org", False)])
def test_players_sit_under_their_own_name_where_it_may_be_shown(category: Category, name: str, is_shown: bool) -> None:
    session, _ = challenge(finish_round(category))
    player = Player.objects.create(name=name)
    sat = sit_down(session=session, player=player, now=NOW, rng=random.Random(1))
    assert (sat.name == name) == is_shown
    # Whoever has the same name gets another.
    twin = sit_down(session=session, player=player, now=NOW, rng=random.Random(2))
    assert twin.name not in (name, sat.name)


def test_cards_are_compared_with_those_of_whoever_made_the_challenge(category: Category) -> None:
    session, maker = challenge(finish_round(category))
    friend = sit_down(session=session, player=None, now=NOW, rng=random.Random(1))
    play(friend, *["machine"] * 10)
    cards = pace_selectors.read_cards(friend, pace_selectors.find_maker(session))
    assert [(card["verdict"], card["theirs"], card["said_human"], card["said_machine"]) for card in cards] == [
        ("machine", "human", 1, 1)
    ] * 10
    assert pace_selectors.find_maker(session) == maker


def test_a_guest_who_signs_in_keeps_their_challenges(category: Category) -> None:
    round_ = finish_round(category)
    session, maker = challenge(round_)
    user = User.objects.create(username="ada")
    player = attach_player(user=user, guest_id=create_guest().pk)
    assert attach_player(user=user, guest_id=round_.player_id) == player
    session.refresh_from_db()
    assert session.player == player
    assert challenge(Round.objects.get(pk=round_.pk), seed=2) == (session, maker)
