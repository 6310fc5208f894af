import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from game.classroom.cards import replace_tweet
from game.classroom.models import Answer
from game.play.rules import is_token
from game.pool.models import Category, Tweet
from tests.game.classroom.classes import hold_class, seat, withdraw
from tests.threads import at_once


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def decks(fill: Callable[..., Category]) -> list[Category]:
    return [fill(slug) for slug in ("gardeners", "astronomers", "plumbers")]


def test_categories_have_equal_shares_give_or_take_one(decks: list[Category], now: datetime) -> None:
    extra: Counter[str] = Counter()
    for seed in range(30):
        session = hold_class(decks, now=now, cards=10, seed=seed)
        shares = Counter(session.cards.values_list("tweet__category__slug", flat=True))
        assert sorted(shares.values()) == [3, 3, 4]
        extra[shares.most_common(1)[0][0]] += 1
    # Which one has the fourth is chance.
    assert set(extra) == {"gardeners", "astronomers", "plumbers"}


def test_categories_come_in_random_order(decks: list[Category], now: datetime) -> None:
    orders = {tuple(hold_class(decks, now=now, seed=seed).cards.values_list("tweet__category__slug", flat=True)) for seed in range(40)}
    # Of four cards, one category twice, there are 36.
    assert len(orders) > 15
    assert {order[0] for order in orders} == {"gardeners", "astronomers", "plumbers"}


def test_each_card_has_a_coin_of_its_own_wherever_it_comes(category: Category, now: datetime) -> None:
    kinds = [list(hold_class([category], now=now, cards=8, seed=seed).cards.values_list("tweet__kind", flat=True)) for seed in range(150)]
    for place in range(8):
        # 75 of 150 on average, 6.1 the standard deviation.
        assert 45 < sum(each[place] == "human" for each in kinds) < 105
    same = sum(each[place] == each[place + 1] for each in kinds for place in range(7))
    assert abs(same / (150 * 7) - 0.5) < 0.08
    # No half-and-half decks: all of a class may be of one kind.
    assert len(Counter(each.count("human") for each in kinds)) > 4


def test_no_tweet_comes_twice_and_no_token_tells(decks: list[Category], now: datetime) -> None:
    session = hold_class(decks, now=now, cards=50)
    tweets, tokens = zip(*session.cards.values_list("tweet", "token"), strict=True)
    assert len(set(tweets)) == len(set(tokens)) == 50
    assert all(map(is_token, tokens))


def test_tweets_of_a_class_are_marked_as_dealt(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now)
    dealt = set(session.cards.values_list("tweet", flat=True))
    assert set(Tweet.objects.filter(first_dealt_at=now).values_list("pk", flat=True)) == dealt


def test_three_cards_are_dealt_in_as_many_queries_as_one(category: Category, now: datetime) -> None:
    hold_class([category], now=now)
    counts = []
    for cards in (1, 3):
        with CaptureQueriesContext(connection) as queries:
            hold_class([category], now=now, cards=cards, seed=10 + cards)
        counts.append(len([query for query in queries if "LATERAL" not in query["sql"]]))
    # Draws that clash are drawn again.
    assert counts[0] == counts[1]


def test_a_card_whose_tweet_is_in_the_game_stays_as_it_is(category: Category, now: datetime) -> None:
    card = hold_class([category], now=now).cards.get(position=1)
    kept = replace_tweet(card=card, now=now, rng=random.Random(0))
    assert kept
    assert (kept.pk, kept.token, kept.tweet_id) == (card.pk, card.token, card.tweet_id)


@pytest.mark.parametrize("status", ["withdrawn", "rejected", "pending"])
def test_a_card_whose_tweet_left_the_game_gets_one_of_the_same_category(decks: list[Category], now: datetime, status: str) -> None:
    session = hold_class(decks, now=now)
    card = session.cards.select_related("tweet").get(position=2)
    withdraw(card, status)
    replaced = replace_tweet(card=card, now=now, rng=random.Random(0))
    assert replaced
    assert replaced.tweet
    assert card.tweet
    assert replaced.tweet.category_id == card.tweet.category_id
    assert replaced.tweet.status == "approved"
    assert replaced.token != card.token
    assert not session.cards.exclude(pk=card.pk).filter(tweet=replaced.tweet).exists()
    assert replaced.tweet.first_dealt_at == now


def test_where_its_category_has_none_left_another_one_of_the_class_helps_out(decks: list[Category], now: datetime) -> None:
    session = hold_class(decks[:2], now=now)
    card = session.cards.select_related("tweet").get(position=1)
    assert card.tweet
    Tweet.objects.filter(category=card.tweet.category_id).update(status="withdrawn")
    replaced = replace_tweet(card=card, now=now, rng=random.Random(0))
    assert replaced
    assert replaced.tweet
    (other,) = {category.pk for category in decks[:2]} - {card.tweet.category_id}
    assert replaced.tweet.category_id == other


def test_a_card_that_somebody_answered_is_left_out_instead(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now)
    (ada,) = seat(session, 1, now=now)
    card = session.cards.get(position=1)
    Answer.objects.create(card=card, seat=ada, verdict="human", right=True, points=100, at=now)
    withdraw(card)
    assert replace_tweet(card=card, now=now, rng=random.Random(0)) is None
    card.refresh_from_db()
    assert card.skipped
    assert card.body == ""
    # And stays so, whoever asks again.
    assert replace_tweet(card=card, now=now, rng=random.Random(0)) is None


@pytest.mark.django_db(transaction=True)
def test_ten_who_turn_a_withdrawn_card_at_once_see_the_same(fill: Callable[..., Category]) -> None:
    now = timezone.now()
    card = hold_class([fill()], now=now).cards.get(position=1)
    withdraw(card)
    seen = at_once(10, lambda number: replace_tweet(card=card, now=now, rng=random.Random(number)))
    assert len({each.token for each in seen}) == 1
    assert len({each.tweet_id for each in seen}) == 1
