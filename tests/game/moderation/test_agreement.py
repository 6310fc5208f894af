from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from game.moderation import leases
from game.moderation.agreement import agreement, disagreements, settle
from game.moderation.queue import Decision, Outcome
from game.pool.models import Category, Tweet
from tests.game.moderation.moderators import NOON, decide, moderator, take, undo

Waiting = Callable[..., list[Tweet]]


@pytest.fixture
def in_twos(owls: Category) -> Category:
    owls.double_share = 1.0
    owls.save()
    return owls


def settle_as(by: User, tweet: Tweet, verdict: str = "approve") -> Decision:
    return settle(tweet_id=tweet.pk, by=by, verdict=verdict, now=NOON)


def test_how_far_each_two_agree(in_twos: Category, waiting: Waiting) -> None:
    tweets = waiting(count=10)
    # Ann and Bob: 5 approved by both, 2 rejected by both, 1 each way. Ann and Cem: one, by both.
    for tweet, ann, other in zip(tweets, "aaaaarrara", "aaaaarrraa", strict=True):
        verdicts = {"a": "approve", "r": "reject"}
        decide("ann", tweet, verdicts[ann])
        decide("cem" if tweet == tweets[9] else "bob", tweet, verdicts[other])
    first, second = agreement(category=in_twos)
    assert (first.one, first.other, first.kappa.n, first.share) == ("ann", "bob", 9, pytest.approx(7 / 9))
    assert first.table == {("approve", "approve"): 5, ("reject", "reject"): 2, ("approve", "reject"): 1, ("reject", "approve"): 1}
    # (7/9 - (6*6 + 3*3)/81) / (1 - (6*6 + 3*3)/81) = (63 - 45) / (81 - 45).
    assert first.kappa.value == pytest.approx(0.5)
    assert (second.one, second.other, second.kappa.n, second.kappa.value) == ("ann", "cem", 1, None)


def test_flags_undone_looks_and_other_categories_do_not_count(in_twos: Category, waiting: Waiting) -> None:
    flagged, undone = waiting(count=2)
    decide("ann", flagged, "flag")
    decide("bob", flagged)
    decide("ann", undone)
    decide("bob", undone)
    undo("bob")
    assert agreement(category=in_twos) == []
    leases.release_leases(by=moderator("bob"))
    decide("bob", undone)
    assert [pair.kappa.n for pair in agreement(category=in_twos)] == [1]
    assert agreement(category=Category.objects.create(slug="geese", name="Geese")) == []


@pytest.fixture
def disputed(in_twos: Category, waiting: Waiting) -> Tweet:
    tweet, other = waiting(count=2)
    decide("ann", tweet)
    decide("bob", tweet, "reject", "5")
    decide("ann", other)
    return tweet


def test_disagreements_have_a_queue_of_their_own(in_twos: Category, disputed: Tweet) -> None:
    [item] = disagreements(category=in_twos)
    said = [(opinion.by, opinion.verdict, opinion.reason) for opinion in item.opinions]
    assert (item.tweet_id, item.origin, said) == (disputed.pk, None, [("ann", "approve", ""), ("bob", "reject", "advertisement or spam")])


def test_a_third_person_settles_it(in_twos: Category, disputed: Tweet) -> None:
    assert take("cem", in_twos, disputed=True) == [disputed.pk]
    assert settle_as(moderator("cem"), disputed, "reject").outcome == Outcome.DECIDED
    assert disagreements(category=in_twos) == []
    # Only what two said blind is compared.
    assert [(pair.one, pair.other) for pair in agreement(category=in_twos)] == [("ann", "bob")]
    assert undo("cem").outcome == Outcome.UNDONE
    assert [item.tweet_id for item in disagreements(category=in_twos)] == [disputed.pk]


def test_those_who_disagree_do_not_settle_it(disputed: Tweet) -> None:
    assert settle_as(moderator("ann"), disputed, "reject").said == "You said “approve” before: undo that first."
    assert settle_as(moderator("ann"), disputed).outcome == Outcome.DISPUTED


def test_an_administrator_settles_even_their_own(in_twos: Category, disputed: Tweet) -> None:
    User.objects.filter(username="ann").update(is_superuser=True)
    assert take("ann", in_twos, disputed=True) == [disputed.pk]
    assert settle_as(moderator("ann"), disputed).outcome == Outcome.DECIDED
    assert undo("ann").outcome == Outcome.UNDONE
    [item] = disagreements(category=in_twos)
    assert [opinion.by for opinion in item.opinions] == ["ann", "bob"]


def test_a_settled_one_is_settled_once(in_twos: Category, disputed: Tweet) -> None:
    settle_as(moderator("cem"), disputed)
    assert settle_as(moderator("dot"), disputed, "reject").said == "cem approved it already."
    assert settle_as(moderator("cem"), disputed).repeated
