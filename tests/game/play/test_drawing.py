import random
import uuid
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from game.accounts.services import create_guest
from game.play.drawing import NotEnoughTweets, draw_tweets
from game.play.models import Card
from game.play.services import start_round
from game.pool.models import Category, Tweet

NOBODY = uuid.UUID(int=0)


def draw(category: Category, seed: int = 0, count: int = 10, player_id: uuid.UUID = NOBODY) -> list[int]:
    return list(draw_tweets(category=category, player_id=player_id, count=count, rng=random.Random(seed)).tweet_ids)


def test_a_round_holds_different_tweets_only(category: Category) -> None:
    for seed in range(50):
        assert len(set(draw(category, seed, count=40))) == 40


def test_in_the_long_run_every_tweet_is_dealt_about_equally_often(category: Category) -> None:
    rng = random.Random(7)
    for _ in range(240):
        start_round(player_id=create_guest().pk, category=category, now=timezone.now(), rng=rng)
    dealt = Counter(Card.objects.values_list("tweet_id", flat=True))
    assert set(dealt) == set(Tweet.objects.filter(category=category, split="play").values_list("pk", flat=True))
    # Twenty each on average. Keys are the database's dice: in 2,000 simulated runs the most was 36 as a rule and 50 at the worst;
    # with fixed keys 87 as a rule, and 53 at the least.
    assert max(dealt.values()) < 52


def test_both_kinds_are_drawn_evenly_however_uneven_the_pool(fill: Callable[..., Category]) -> None:
    category = fill(human=150, machine=15)
    kinds = Counter(Tweet.objects.get(pk=tweet).kind for seed in range(200) for tweet in draw(category, seed, count=5))
    assert abs(kinds["human"] / 1_000 - 0.5) < 0.05


def test_only_approved_tweets_of_the_play_split_and_the_category_are_drawn(category: Category, fill: Callable[..., Category]) -> None:
    fill("astronomers")
    for status in ("pending", "rejected", "withdrawn"):
        ids = Tweet.objects.filter(category=category, status="approved", split="play").values_list("pk", flat=True)[:10]
        Tweet.objects.filter(pk__in=list(ids)).update(status=status)
    human_ids = Tweet.objects.filter(category=category, kind="human").values_list("pk", flat=True)[:5]
    Tweet.objects.filter(pk__in=list(human_ids)).update(split="train")
    playable = set(Tweet.objects.filter(category=category, status="approved", split="play").values_list("pk", flat=True))
    drawn = {tweet for seed in range(300) for tweet in draw(category, seed)}
    assert drawn <= playable


def test_no_player_sees_a_tweet_twice_before_the_pool_is_exhausted(fill: Callable[..., Category]) -> None:
    category, player, rng = fill(human=40, machine=40), create_guest(), random.Random(3)
    while True:
        round_ = start_round(player_id=player.pk, category=category, now=timezone.now(), rng=rng)
        round_.finished_at = timezone.now()
        round_.save()
        if round_.repeats:
            break
        seen = list(Card.objects.filter(player=player).values_list("tweet_id", flat=True))
        assert len(seen) == len(set(seen))
    # It said so only when fewer than a round's worth of one kind was left.
    kinds = Counter(
        Tweet.objects.filter(pk__in=Card.objects.filter(player=player).exclude(round=round_).values("tweet")).values_list("kind", flat=True)
    )
    assert max(kinds.values()) > 40 - 10


def test_a_round_of_repeats_still_holds_ten_different_tweets(fill: Callable[..., Category]) -> None:
    category, player, rng = fill(human=10, machine=10), create_guest(), random.Random(4)
    for _ in range(5):
        round_ = start_round(player_id=player.pk, category=category, now=timezone.now(), rng=rng)
        assert len(set(round_.cards.values_list("tweet_id", flat=True))) == 10
        round_.finished_at = timezone.now()
        round_.save()
    assert round_.repeats


def test_too_small_a_pool_is_refused_and_nothing_is_stored(fill: Callable[..., Category]) -> None:
    category, player = fill(human=60, machine=0), create_guest()
    with pytest.raises(NotEnoughTweets, match="gardeners"):
        start_round(player_id=player.pk, category=category, now=timezone.now(), rng=random.Random(5))
    assert not player.rounds.exists()


def test_a_round_is_drawn_in_one_query_when_nothing_clashes(fill: Callable[..., Category]) -> None:
    counts = set()
    for size in (30, 300):
        category = fill(f"size-{size}", human=size, machine=size)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            draw(category, seed=6, count=1)
        counts.add(len(queries))
    assert counts == {1}
