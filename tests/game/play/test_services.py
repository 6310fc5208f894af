import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from game.accounts.models import Player
from game.accounts.services import create_guest
from game.play import rules
from game.play.models import Card, Guess, Round, Standing, Tally
from game.play.services import find_card, show_next_card, start_round, submit_guess
from game.pool.models import Author, Category, Tweet
from tests.threads import at_once

NOW = timezone.now()


def deal(category: Category, player: Player, seed: int = 1) -> Round:
    return start_round(player_id=player.pk, category=category, now=NOW, rng=random.Random(seed))


def next_card(round_: Round, now=NOW) -> Card:
    card = show_next_card(round_=round_, now=now, rng=random.Random(0))
    assert card is not None
    found = find_card(token=card.token, player_id=round_.player_id)
    assert found is not None
    return found


def other(kind: str) -> str:
    return "machine" if kind == "human" else "human"


def test_a_guess_is_stored_with_its_verdict_its_truth_and_its_time(category: Category) -> None:
    card = next_card(deal(category, create_guest()))
    assert submit_guess(card=card, verdict=card.tweet.author.kind, now=NOW + timedelta(seconds=3))
    guess = Guess.objects.get()
    assert (guess.card_id, guess.verdict, guess.right, guess.elapsed) == (card.pk, card.tweet.author.kind, True, timedelta(seconds=3))


def test_the_first_guess_counts_and_the_second_changes_nothing(category: Category) -> None:
    player = create_guest()
    card = next_card(deal(category, player))
    truth = card.tweet.author.kind
    assert submit_guess(card=card, verdict=other(truth), now=NOW)
    assert not submit_guess(card=card, verdict=truth, now=NOW)
    assert Guess.objects.get().verdict == other(truth)
    tally = Tally.objects.get()
    assert (tally.said_human, tally.said_machine) == ((1, 0) if truth == "machine" else (0, 1))
    assert set(Standing.objects.values_list("category", "guesses", "right")) == {(None, 1, 0), (category.pk, 1, 0)}


def test_the_last_guess_ends_the_round(category: Category) -> None:
    round_ = deal(category, create_guest())
    for position in range(1, rules.CARDS_PER_ROUND + 1):
        round_.refresh_from_db()
        assert round_.finished_at is None
        card = next_card(round_)
        assert card.position == position
        submit_guess(card=card, verdict="human", now=NOW)
    round_.refresh_from_db()
    assert round_.finished_at == NOW


def test_strength_in_the_database_is_the_rule(category: Category) -> None:
    player = create_guest()
    for guesses, right in ((1, 0), (1, 1), (10, 8), (1_000, 513)):
        standing = Standing.objects.create(player=player, category=category, guesses=guesses, right=right)
        standing.refresh_from_db()
        assert standing.strength == pytest.approx(rules.wilson_interval(right, guesses)[0], abs=1e-12)
        standing.delete()


def test_a_card_whose_tweet_was_withdrawn_gets_another_tweet(category: Category) -> None:
    round_ = deal(category, create_guest())
    before = next_card(round_)
    dealt = set(round_.cards.values_list("tweet_id", flat=True))
    Tweet.objects.filter(pk=before.tweet_id).update(status="withdrawn")
    later = NOW + timedelta(minutes=1)
    after = next_card(round_, later)
    assert (after.pk, after.position) == (before.pk, before.position)
    assert find_card(token=before.token, player_id=round_.player_id) is None
    assert after.tweet_id not in dealt
    assert after.shown_at == later


def test_dealing_marks_tweets_as_dealt_once(category: Category) -> None:
    deal(category, create_guest())
    assert Tweet.objects.filter(first_dealt_at=NOW).count() == rules.CARDS_PER_ROUND


def test_the_database_refuses_a_tweet_of_another_kind_than_its_author(category: Category) -> None:
    tweet = Tweet.objects.filter(kind="human").first()
    assert tweet
    machine = Author.objects.get(kind="machine")
    with pytest.raises(IntegrityError, match="tweet_kind_is_the_authors"), transaction.atomic():
        Tweet.objects.filter(pk=tweet.pk).update(author=machine)


@pytest.mark.django_db(transaction=True)
def test_twenty_guesses_at_once_store_one(fill: Callable[..., Category]) -> None:
    category = fill()
    card = next_card(deal(category, create_guest()))
    stored = at_once(20, lambda number: submit_guess(card=card, verdict="human" if number % 2 else "machine", now=NOW))
    assert stored.count(True) == 1
    assert Guess.objects.count() == 1
    tally = Tally.objects.get()
    assert tally.said_human + tally.said_machine == 1
    assert set(Standing.objects.values_list("guesses", flat=True)) == {1}


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_start_at_once_get_one_round(fill: Callable[..., Category]) -> None:
    category, player = fill(), create_guest()
    rounds = at_once(2, lambda number: deal(category, player, seed=1 + number).pk)
    assert len(set(rounds)) == 1
    assert Card.objects.count() == rules.CARDS_PER_ROUND
