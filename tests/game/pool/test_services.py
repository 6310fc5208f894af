from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from game.pool.models import Author, Category, Kind, ModerationEvent, Split, Status, Tweet
from game.pool.rules import fingerprint, is_for_training
from game.pool.services import NewTweet, OtherKind, add_tweets, count_ready, get_author, moderate_tweets
from tests.threads import at_once

NOON = datetime(2020, 5, 31, 12, tzinfo=UTC)


@pytest.fixture
def birds(db: None) -> Category:
    return Category.objects.create(slug="birds", name="Birds")


@pytest.fixture
def ada(db: None) -> Author:
    return get_author(kind=Kind.HUMAN, platform="twitter", handle="ada", name="Ada")


@pytest.fixture
def model(db: None) -> Author:
    return get_author(kind=Kind.MACHINE, platform="model", handle="birds/1")


def tweets_of(author: Author, *texts: str) -> list[NewTweet]:
    return [NewTweet(author=author, text=text) for text in texts]


def test_a_tweet_is_stored_whole(birds: Category, ada: Author) -> None:
    facts = {"likes": 7, "link": "https://owls.example/1"}
    [pk] = add_tweets(category=birds, tweets=[NewTweet(ada, "An owl, asleep.", NOON, facts)], status=Status.APPROVED)
    assert pk == Tweet.objects.get().pk
    tweet = Tweet.objects.get()
    mark = fingerprint("An owl, asleep.")
    assert (tweet.category, tweet.author, tweet.kind, tweet.text) == (birds, ada, Kind.HUMAN, "An owl, asleep.")
    assert (bytes(tweet.fingerprint), tweet.status, tweet.posted_at, tweet.facts) == (mark, Status.APPROVED, NOON, facts)
    assert tweet.split == (Split.TRAIN if is_for_training(mark) else Split.PLAY)
    assert 0 <= tweet.draw_key < 1


def test_nothing_to_add_asks_the_database_nothing(birds: Category) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert add_tweets(category=birds, tweets=[], status=Status.PENDING) == []
    assert len(queries) == 0


@pytest.mark.parametrize("count", [1, 300])
def test_any_number_of_tweets_takes_two_statements(birds: Category, ada: Author, count: int) -> None:
    tweets = tweets_of(ada, *(f"owl {number}" for number in range(count)))
    with CaptureQueriesContext(connection) as queries:
        assert None not in add_tweets(category=birds, tweets=tweets, status=Status.PENDING)
    assert len(queries) == 2


def test_a_tweet_known_already_or_twice_in_one_go_is_added_once(birds: Category, ada: Author) -> None:
    add_tweets(category=birds, tweets=tweets_of(ada, "An owl."), status=Status.APPROVED)
    news = add_tweets(category=birds, tweets=tweets_of(ada, "a finch!", "AN OWL", "A FINCH", "a crane"), status=Status.PENDING)
    assert [pk is not None for pk in news] == [True, False, False, True]
    assert sorted(Tweet.objects.values_list("text", "status")) == [("An owl.", "approved"), ("a crane", "pending"), ("a finch!", "pending")]


def test_the_first_of_two_authors_keeps_a_text(birds: Category, ada: Author) -> None:
    bob = get_author(kind=Kind.HUMAN, platform="twitter", handle="bob")
    first, second = add_tweets(category=birds, tweets=tweets_of(ada, "An owl.") + tweets_of(bob, "An owl!"), status=Status.PENDING)
    assert (first, second) == (Tweet.objects.get().pk, None)
    assert Tweet.objects.get().author == ada


def test_another_category_may_hold_the_same_text_in_the_same_split(birds: Category, ada: Author) -> None:
    barn = Category.objects.create(slug="barn", name="Barn")
    texts = [f"owl {number}" for number in range(50)]
    for category in (birds, barn):
        assert all(add_tweets(category=category, tweets=tweets_of(ada, *texts), status=Status.PENDING))
    splits = [dict(Tweet.objects.filter(category=category).values_list("text", "split")) for category in (birds, barn)]
    assert splits[0] == splits[1]
    assert set(splits[0].values()) == {Split.TRAIN, Split.PLAY}


def test_machine_tweets_are_all_for_play(birds: Category, model: Author) -> None:
    add_tweets(category=birds, tweets=tweets_of(model, *(f"owl {number}" for number in range(50))), status=Status.APPROVED)
    assert set(Tweet.objects.values_list("kind", "split")) == {(Kind.MACHINE, Split.PLAY)}


def test_a_machine_tweet_that_a_person_wrote_before_is_not_new(birds: Category, ada: Author, model: Author) -> None:
    add_tweets(category=birds, tweets=tweets_of(ada, "An owl."), status=Status.PENDING)
    assert add_tweets(category=birds, tweets=tweets_of(model, "an owl"), status=Status.APPROVED) == [None]


def test_the_database_refuses_a_tweet_of_another_kind_than_its_author(birds: Category, ada: Author) -> None:
    add_tweets(category=birds, tweets=tweets_of(ada, "An owl."), status=Status.PENDING)
    with pytest.raises(IntegrityError), transaction.atomic():
        Tweet.objects.update(kind=Kind.MACHINE, split=Split.PLAY)


@pytest.mark.django_db(transaction=True)
def test_imports_that_meet_in_other_orders_neither_fail_nor_double() -> None:
    birds = Category.objects.create(slug="birds", name="Birds")
    ada = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada")
    texts = [f"owl {number}" for number in range(2_000)]
    orders = [texts, texts[500:] + texts[:500], texts[1_000:] + texts[:1_000], texts[::-1]]

    def add(number: int) -> int:
        tweets = tweets_of(ada, *orders[number])
        return sum(pk is not None for _ in range(3) for pk in add_tweets(category=birds, tweets=tweets, status=Status.PENDING))

    assert sum(at_once(4, add)) == Tweet.objects.count() == 2_000


def test_an_author_is_made_on_first_sight_and_found_again(ada: Author) -> None:
    assert get_author(kind=Kind.HUMAN, platform="twitter", handle="ada", name="Another Name") == ada
    assert Author.objects.get().name == "Ada"


def test_the_same_handle_elsewhere_is_somebody_else(ada: Author) -> None:
    assert get_author(kind=Kind.HUMAN, platform="bluesky", handle="ada") != ada


def test_an_author_never_changes_kind(ada: Author) -> None:
    with pytest.raises(OtherKind, match=r"^ada \(twitter\) is human, not machine$"):
        get_author(kind=Kind.MACHINE, platform="twitter", handle="ada")
    assert Author.objects.get().kind == Kind.HUMAN


def test_ready_are_approved_tweets_for_play_that_nobody_was_dealt(birds: Category, ada: Author, model: Author) -> None:
    barn = Category.objects.create(slug="barn", name="Barn")
    add_tweets(category=birds, tweets=tweets_of(ada, *(f"owl {number}" for number in range(50))), status=Status.APPROVED)
    add_tweets(category=birds, tweets=tweets_of(ada, "a finch", "a crane"), status=Status.PENDING)
    add_tweets(category=birds, tweets=tweets_of(model, "a swift", "a stork"), status=Status.APPROVED)
    Tweet.objects.filter(text="a stork").update(first_dealt_at=NOON)
    humans = sum(not is_for_training(fingerprint(f"owl {number}")) for number in range(50))
    assert count_ready(categories=[birds, barn]) == {birds.pk: {"human": humans, "machine": 1}, barn.pk: {"human": 0, "machine": 0}}


def test_moderation_changes_what_it_names_and_leaves_an_event_each(birds: Category, ada: Author) -> None:
    moderator = User.objects.create_user("mo")
    add_tweets(category=birds, tweets=tweets_of(ada, "an owl", "a finch"), status=Status.PENDING)
    add_tweets(category=birds, tweets=tweets_of(ada, "a crane"), status=Status.APPROVED)
    everything = Q(category=birds)
    assert moderate_tweets(tweets=everything, by=moderator, after=Status.APPROVED, reason="fine") == 2
    assert moderate_tweets(tweets=everything, by=moderator, after=Status.APPROVED) == 0
    assert set(Tweet.objects.values_list("status", flat=True)) == {"approved"}
    events = ModerationEvent.objects.values_list("tweet__text", "by__username", "before", "after", "reason")
    assert sorted(events) == [("a finch", "mo", "pending", "approved", "fine"), ("an owl", "mo", "pending", "approved", "fine")]


def test_moderation_of_nothing_asks_the_database_nothing(birds: Category) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert moderate_tweets(tweets=Q(pk__in=[]), by=None, after=Status.APPROVED) == 0
    assert [query["sql"] for query in queries if "pool_" in query["sql"]] == []


@pytest.mark.parametrize("count", [1, 300])
def test_moderation_of_any_number_is_one_statement(birds: Category, ada: Author, count: int) -> None:
    add_tweets(category=birds, tweets=tweets_of(ada, *(f"owl {number}" for number in range(count))), status=Status.PENDING)
    with CaptureQueriesContext(connection) as queries:
        assert moderate_tweets(tweets=Q(author__handle="ada"), by=None, after=Status.REJECTED) == count
    assert len([query for query in queries if "pool_" in query["sql"]]) == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_moderate_the_same_at_once_neither_fail_nor_log_twice() -> None:
    birds = Category.objects.create(slug="birds", name="Birds")
    ada = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada")
    add_tweets(category=birds, tweets=tweets_of(ada, *(f"owl {number}" for number in range(2_000))), status=Status.PENDING)
    verdicts = [Status.APPROVED, Status.REJECTED] * 2
    changed = at_once(4, lambda number: moderate_tweets(tweets=Q(category=birds, status=Status.PENDING), by=None, after=verdicts[number]))
    # Who waited finds nothing pending any more.
    assert sorted(changed) == [0, 0, 0, 2_000]
    assert ModerationEvent.objects.count() == 2_000
