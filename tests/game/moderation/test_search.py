from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.db.models import Q
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from game.moderation import search
from game.moderation.flags import flag_new_tweets
from game.moderation.models import TweetWords
from game.moderation.search import BadFilter, Count, Filters
from game.pool.models import Kind, Status, Tweet, TweetFlag
from game.pool.services import erase_tweets

Waiting = Callable[..., list[Tweet]]
TEXTS = (
    "An owl wrote a letter to the mayor.",
    "A goose wrote no letter, 100% sure.",
    "The old owl's barn burnt down: what a night!",
    "Écoutez, the naïve heron said “no”.",
)


def found(**filters: str) -> list[str]:
    """Return which of TEXTS are found, by their first words but one."""
    page = search.find(filters=Filters.parse(filters))
    return sorted(tweet.text.split()[1] for tweet in page.tweets)


@pytest.fixture(params=["new", "looked through"])
def texts(request: pytest.FixtureRequest, waiting: Waiting) -> list[Tweet]:
    """Have TEXTS wait: just added, and with their words in the index."""
    tweets = waiting(*TEXTS)
    if request.param != "new":
        assert flag_new_tweets(limit=10) == TweetWords.objects.count() == 4
    return tweets


@pytest.mark.parametrize(
    ("words", "texts_found"),
    [
        ("owl", ["old", "owl"]),
        ("OWL letter", ["owl"]),
        ("letter -owl", ["goose"]),
        ("goose or barn", ["goose", "old"]),
        ('"burnt down"', ["old"]),
        ('"down burnt"', []),
        ("naïve", ["the"]),
        ("100", ["goose"]),
        ("100%", ["goose"]),
        ("stork", []),
        # Whatever else is typed means nothing, and harms nothing.
        ("owl's", ["old"]),
        ("'; DROP TABLE pool_tweet; -- owl", []),
        ('"letter', ["goose", "owl"]),
        ("letter ' \" % \\ { } & | ! ( :*", ["goose", "owl"]),
        ("%(words)s letter", []),
        ("letter\x00", ["goose", "owl"]),
    ],
)
def test_words_are_found(texts: list[Tweet], words: str, texts_found: list[str]) -> None:
    assert found(words=words) == texts_found


@pytest.mark.parametrize("is_indexed", [False, True])
@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ('"lost his savings"', True),
        ('"savings his wife"', True),
        ('"savings-his wife"', True),
        ("savings-his", True),
        ("wife-savings", False),
        ("wife -savings-his", False),
        ("left -wife-savings", True),
        ("wife -savings", False),
        ('"two-one" -"one two"', True),
    ],
)
def test_words_beside_a_hyphen_are_found(waiting: Waiting, is_indexed: bool, words: str, is_found: bool) -> None:
    waiting("A stork lost his savings-his wife left, it ended 2-1, so two-one.")
    if is_indexed:
        flag_new_tweets(limit=10)
    assert found(words=words) == (["stork"] if is_found else [])


def test_what_was_indexed_with_its_hyphens_is_indexed_again(waiting: Waiting) -> None:
    waiting("A stork lost his savings-his wife left.", *TEXTS)
    flag_new_tweets(limit=10)
    now = dict(TweetWords.objects.values_list("tweet", "words"))
    [step] = import_module("game.moderation.migrations.0005_words_beside_hyphens").Migration.operations
    with connection.cursor() as cursor:
        cursor.execute("UPDATE moderation_tweetwords w SET words = to_tsvector('simple', text) FROM pool_tweet t WHERE t.id = w.tweet_id")
        assert dict(TweetWords.objects.values_list("tweet", "words")) != now
        cursor.execute(step.sql)
    assert dict(TweetWords.objects.values_list("tweet", "words")) == now


@pytest.mark.parametrize(
    ("author", "is_found"),
    [("twitter:human-OWL", True), ("x:@human-owl", True), ("bluesky:human-owl", False), ("human-owl", True), (":human-owl", True)],
)
def test_an_author_is_found_by_platform_and_handle(waiting: Waiting, author: str, is_found: bool) -> None:
    waiting("An owl.")
    assert found(author=author) == (["owl."] if is_found else [])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(st.sampled_from("aé1 \"'%\\&|!():*-<>{}\t\x00“ß%s"), max_size=30) | st.text(max_size=30))
def test_nothing_that_can_be_typed_breaks_the_search(waiting: Waiting, words: str) -> None:
    filters = None
    with suppress(BadFilter):
        filters = Filters.parse({"words": words})
    if filters:
        assert search.find(filters=filters).tweets == []
        assert search.count(Tweet.objects.filter(filters.to_q())) == Count(0)


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("words=%25%22%27", "words: there is no word in that."),
        (f"words={'owl' * 70}", "words: more than 200 characters."),
        ("origin=bot", "origin: “bot” is none of human, machine."),
        ("status=waiting", "status: “waiting” is none of pending, approved, rejected, withdrawn."),
        ("flag=odd", "flag: “odd” is none of near, copied, unsafe, personal, easy, reported, opinion."),
        ("since=31.5.2020", "since: “31.5.2020” is no day; write it like 2020-05-31."),
        ("until=2020-02-30", "until: “2020-02-30” is no day; write it like 2020-05-31."),
        ("since=2020-06-01&until=2020-05-31", "since: 2020-06-01 is after 2020-05-31."),
    ],
)
def test_a_filter_that_can_not_be_followed_is_named(query: str, line: str) -> None:
    with pytest.raises(BadFilter) as refused:
        Filters.parse(QueryDict(query).dict())
    assert str(refused.value) == line


def test_filters_are_spelled_as_they_were_read() -> None:
    query = {"category": "owls", "author": "ada", "words": '"a b" -c', "since": "2020-05-31", "origin": "human", "page": "7"}
    filters = Filters.parse(query | {"author": " @ada\n", "flag": ""})
    assert filters.spell() == {name: value for name, value in query.items() if name != "page"}
    assert Filters.parse(filters.spell()) == filters


@pytest.mark.parametrize(
    ("filters", "tells"),
    [({"origin": "human"}, True), ({"author": "ada"}, True), ({"model": "m"}, True), ({"words": "ada"}, False), ({}, False)],
)
def test_some_filters_tell_who_wrote_what_they_let_through(filters: dict[str, str], tells: bool) -> None:
    assert Filters.parse(filters).tells_origin is tells


def test_each_filter_chooses(waiting: Waiting) -> None:
    human, rejected = waiting("An owl slept.", "An eagle slept.")
    machine = waiting("A heron slept.", kind=Kind.MACHINE)[0]
    Tweet.objects.filter(pk=rejected.pk).update(status=Status.REJECTED)
    TweetFlag.objects.create(tweet=human, flag="unsafe")
    cases = {
        "category=owls": {human, rejected, machine},
        "category=geese": set(),
        "origin=machine": {machine},
        "author=Human-Owl": {human, rejected},
        "model=owls v1": {machine},
        "model=machine-owl": {machine},
        "model=human-owl": set(),
        "flag=unsafe": {human},
        "status=rejected": {rejected},
        "status=pending&origin=human": {human},
    }
    got = {query: set(Tweet.objects.filter(Filters.parse(QueryDict(query).dict()).to_q())) for query in cases}
    assert got == cases


def test_days_are_whole_and_include_both_ends(waiting: Waiting) -> None:
    tweets = waiting(count=4)
    day = datetime(2020, 5, 31, tzinfo=UTC)
    for tweet, at in zip(tweets, (day - timedelta(seconds=1), day, day + timedelta(hours=23.9), day + timedelta(days=1)), strict=True):
        Tweet.objects.filter(pk=tweet.pk).update(posted_at=at)
    chosen = Tweet.objects.filter(Filters.parse({"since": "2020-05-31", "until": "2020-05-31"}).to_q())
    assert set(chosen) == set(tweets[1:3])
    # No day comes after the last that there is.
    assert Tweet.objects.filter(Filters.parse({"until": "9999-12-31"}).to_q()).exists()


def test_pages_follow_each_other(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "PAGE", 2)
    tweets = sorted(waiting(count=5), key=lambda tweet: -tweet.pk)
    seen: list[list[Tweet]] = []
    below = None
    for _ in range(3):
        page = search.find(filters=Filters(), below=below)
        seen, below = [*seen, page.tweets], page.below
    assert seen == [tweets[:2], tweets[2:4], tweets[4:]]
    assert below is None


def test_counting_stops_where_nobody_pages(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "COUNTED", 3)
    waiting(count=3)
    assert search.count(Tweet.objects.all()) == Count(3)
    waiting("An owl slept.")
    assert search.count(Tweet.objects.all()) == Count(3, more=True)


def test_erased_words_are_not_found(waiting: Waiting) -> None:
    waiting(*TEXTS)
    flag_new_tweets(limit=10)
    erase_tweets(tweets=Q(text__contains="mayor"), by=None, reason="asked")
    assert TweetWords.objects.count() == 3
    assert found(words="mayor") == []
