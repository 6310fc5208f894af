"""Challenges: the cards of a round, for others."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from game.accounts.models import Player
from game.accounts.services import attach_player, create_guest
from game.classroom import pace, pace_selectors
from game.classroom.challenge import NothingLeft, make_challenge, sit_down
from game.classroom.models import Answer, ClassSession, Seat
from game.classroom.selectors import read_standings
from game.play.models import Round
from game.play.services import show_next_card, start_round, submit_guess
from game.pool.models import Category, Status, Tweet
from tests.game.classroom.classes import play, withdraw
from tests.threads import at_once

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


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
    play(friend, *["machine"] * 10, now=NOW)
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
