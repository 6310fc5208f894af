"""People who opt out: erased everywhere, and kept out for good."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from game.pool.models import Author, Category, Kind, ModerationEvent, Status, Tweet
from game.pool.rules import fingerprint
from game.pool.services import NewTweet, add_tweets, get_author
from generation.models import ModelVersion
from generation.rules import learned
from generation.versions import register_model, stale_models
from scraping.models import Feed, OptOut, RawPost
from scraping.optouts import OptOutError, lift_opt_out, opt_out, read_opt_outs
from tests.generation.conftest import copy_model
from tests.scraping.conftest import sentence
from tests.threads import at_once


def add(category: Category, handle: str, *numbers: int, platform: str = "twitter", kind: str = Kind.HUMAN) -> list[Tweet]:
    author = get_author(kind=kind, platform=platform, handle=handle, name=handle.title())
    add_tweets(category=category, tweets=[NewTweet(author, sentence(number), facts={"likes": 1}) for number in numbers], status="approved")
    return [Tweet.objects.get(category=category, text=sentence(number)) for number in numbers]


def follow(category: Category, handle: str, *tweets: Tweet, source: str = "x", account_id: str = "") -> Feed:
    """Make the feed that these tweets came from, each with its raw post."""
    feed = Feed.objects.create(category=category, source=source, handle=handle, account_id=account_id, name="Ada", passing=True, cursor="c")
    for tweet in tweets:
        RawPost.objects.create(
            feed=feed,
            source_id=f"{handle}-{tweet.pk}",
            in_pass=0,
            record={"text": tweet.text},
            outcome=RawPost.KEPT,
            cleaning=1,
            tweet=tweet,
        )
    return feed


def texts(**filters: object) -> list[str]:
    return list(Tweet.objects.filter(**filters).order_by("pk").values_list("text", flat=True))


@pytest.fixture
def barn(db: None) -> Category:
    return Category.objects.create(slug="barn", name="Barn")


@pytest.fixture
def olga(db: None) -> User:
    return User.objects.create_user("olga")


def test_every_tweet_of_theirs_in_every_category_is_erased_and_nobody_elses(category: Category, barn: Category, olga: User) -> None:
    add(category, "ada_owl", 1, 2)
    add(barn, "ada_owl", 3)
    add(category, "bob", 4)
    add(category, "ada_owl", 5, platform="mastodon")
    assert opt_out(platform="twitter", handle="@Ada_Owl", by=olga, reason="asked us") == 3
    assert texts(author__handle="ada_owl", author__platform="twitter") == ["", "", ""]
    assert set(Tweet.objects.filter(text="").values_list("status", flat=True)) == {Status.WITHDRAWN}
    assert texts(status="approved") == [sentence(4), sentence(5)]
    assert set(ModerationEvent.objects.values_list("by__username", "after", "reason")) == {("olga", "withdrawn", "opted out: asked us")}
    assert Author.objects.get(platform="twitter", handle="ada_owl").name == ""


def test_what_the_source_said_is_forgotten_and_the_feeds_are_off_their_lists(category: Category, barn: Category) -> None:
    feed = follow(category, "ada_owl", *add(category, "ada_owl", 1))
    dropped = RawPost.objects.create(feed=feed, source_id="7", in_pass=0, record={"text": "An owl!"}, outcome="too short", cleaning=1)
    twin = follow(barn, "ada_owl", source="twint")
    other = follow(category, "bob", *add(category, "bob", 2))
    opt_out(platform="twitter", handle="ada_owl", by=None)
    assert set(RawPost.objects.filter(feed=feed).values_list("record", "outcome")) == {(None, RawPost.GONE)}
    assert RawPost.objects.filter(pk=dropped.pk, outcome=RawPost.GONE).exists()
    rows = Feed.objects.filter(pk__in=[feed.pk, twin.pk]).values_list("listed", "passing", "cursor", "name", "note")
    assert list(rows) == [(False, False, "", "", "Opted out.")] * 2
    other.refresh_from_db()
    assert (other.listed, other.passing, other.cursor) == (True, True, "c")
    assert RawPost.objects.get(feed=other).record == {"text": sentence(2)}


def test_a_change_of_handle_hides_nobody(category: Category) -> None:
    follow(category, "ada_owl", *add(category, "ada_owl", 1), account_id="7")
    # The source wrote the new handle on later posts of the same feed.
    feed = Feed.objects.get()
    (later,) = add(category, "ada_eagle", 2)
    RawPost.objects.create(feed=feed, source_id="8", in_pass=1, record={}, outcome=RawPost.KEPT, cleaning=1, tweet=later)
    assert opt_out(platform="twitter", handle="ada_owl", by=None) == 2
    entries = OptOut.objects.order_by("handle").values_list("handle", "account_id")
    assert list(entries) == [("ada_eagle", "7"), ("ada_owl", "7")]
    out = read_opt_outs()
    assert out.holds("twitter", "@Ada_OWL")
    assert out.holds("twitter", "ada_third_name", "7")
    assert not out.holds("twitter", "ada_third_name", "8")
    assert not out.holds("twitter", "ada_third_name")
    assert not out.holds("bluesky", "ada_owl", "7")


def test_someone_known_by_the_id_alone_is_found_under_the_old_handle(category: Category) -> None:
    follow(category, "ada_owl", *add(category, "ada_owl", 1), account_id="7")
    assert opt_out(platform="twitter", handle="ada_eagle", account_id="7", by=None) == 1
    assert read_opt_outs().holds("twitter", "ada_owl")


def test_a_post_that_repeats_anothers_words_does_not_take_the_other_along(category: Category) -> None:
    (bobs,) = add(category, "bob", 1)
    feed = follow(category, "ada_owl", account_id="7")
    RawPost.objects.create(feed=feed, source_id="9", in_pass=0, record={}, outcome="duplicate", cleaning=1, tweet=bobs)
    for _ in range(2):
        assert opt_out(platform="twitter", handle="ada_owl", by=None) == 0
    assert texts() == [sentence(1)]
    assert not read_opt_outs().holds("twitter", "bob")
    assert RawPost.objects.get().tweet is None


def test_doing_it_again_changes_nothing_and_completes_what_was_missing(category: Category, olga: User) -> None:
    add(category, "ada_owl", 1)
    assert opt_out(platform="twitter", handle="ada_owl", by=olga, reason="asked us") == 1
    before = list(OptOut.objects.values())
    assert opt_out(platform="twitter", handle="ada_owl", by=None) == 0
    assert list(OptOut.objects.values()) == before
    add(category, "ada_owl", 2)
    assert opt_out(platform="twitter", handle="ada_owl", by=None, account_id="7") == 1
    assert OptOut.objects.get().account_id == "7"


def test_words_that_were_erased_do_not_come_back(category: Category) -> None:
    add(category, "ada_owl", 1)
    opt_out(platform="twitter", handle="ada_owl", by=None)
    author = Author.objects.get()
    assert add_tweets(category=category, tweets=[NewTweet(author, sentence(1))], status="approved") == [None]


def test_a_machine_of_the_same_handle_keeps_its_tweets(category: Category) -> None:
    add(category, "ada_owl", 1, kind=Kind.MACHINE)
    assert opt_out(platform="twitter", handle="ada_owl", by=None) == 0
    assert texts() == [sentence(1)]


def test_models_that_learned_from_them_are_stale(category: Category, tmp_path: Path) -> None:
    starlings = Category.objects.create(slug="starlings", name="Starlings")
    (tweet,) = add(starlings, "ada_owl", 1)
    folder = copy_model(tmp_path / "model")
    (folder / "learned.bin").write_bytes(learned([fingerprint(tweet.text)]).to_bytes())
    model: ModelVersion = register_model(category=starlings, folder=folder)
    assert stale_models() == []
    opt_out(platform="twitter", handle="ada_owl", by=None)
    assert [(stale.model_version, stale.tweets, stale.authors) for stale in stale_models()] == [(model, 1, ("ada_owl",))]


@pytest.mark.parametrize("handle", ["", "@", "ada owl", "o" * 121])
def test_what_is_no_handle_is_refused(db: None, handle: str) -> None:
    with pytest.raises(OptOutError, match="can't be a handle"):
        opt_out(platform="twitter", handle=handle, by=None)
    with pytest.raises(OptOutError, match="'myspace' is no platform: use bluesky, mastodon, twitter"):
        opt_out(platform="myspace", handle="ada", by=None)
    assert not OptOut.objects.exists()


def test_lifting_it_frees_every_name_and_brings_nothing_back(category: Category, olga: User, caplog: pytest.LogCaptureFixture) -> None:
    follow(category, "ada_owl", *add(category, "ada_eagle", 1), account_id="7")
    opt_out(platform="twitter", handle="bob", by=None)
    opt_out(platform="twitter", handle="ada_eagle", by=None, account_id="7")
    with caplog.at_level("INFO", "scraping.optouts"):
        assert lift_opt_out(platform="twitter", handle="Ada_Owl", by=olga)
    assert caplog.messages == ["The opt-out of ada_owl on twitter was lifted by olga."]
    assert not lift_opt_out(platform="twitter", handle="ada_owl", by=olga)
    out = read_opt_outs()
    assert [out.holds("twitter", name, "7") for name in ("ada_owl", "ada_eagle")] == [False, False]
    assert out.holds("twitter", "bob")
    assert texts() == [""]
    assert not Feed.objects.get().listed


def test_the_command_takes_out_and_lifts(category: Category) -> None:
    add(category, "ada_owl", 1)
    out = StringIO()
    call_command("opt_out", "x:@Ada_Owl", "--reason", "a letter", stdout=out)
    call_command("opt_out", "twitter:ada_owl", "--lift", stdout=out)
    assert out.getvalue().splitlines() == [
        "ada_owl on twitter is out for good: 1 tweet erased.",
        "`manage.py stale_models` lists the models that learned from them; training again replaces those.",
        "ada_owl on twitter may be scraped and imported again.",
    ]
    assert not OptOut.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["ada_owl"], "'ada_owl' names no account: write it as in twitter:ada_owl."),
        (["twitter:"], "'twitter:' names no account: write it as in twitter:ada_owl."),
        (["myspace:ada"], "'myspace' is no platform: use bluesky, mastodon, twitter."),
        (["twitter:ada", "--lift"], "ada on twitter has not opted out."),
    ],
)
def test_the_command_says_what_is_wrong(db: None, arguments: list[str], problem: str) -> None:
    with pytest.raises(CommandError) as error:
        call_command("opt_out", *arguments)
    assert str(error.value) == problem


# --- at the same time


@contextmanager
def storing(category: Category) -> Iterator[Callable[[], None]]:
    """Begin a page in another thread that has looked at the opt-outs, and store it when told to."""
    go, looked = threading.Event(), threading.Event()

    def store() -> bool:
        try:
            with transaction.atomic():
                out = read_opt_outs().holds("twitter", "ada_owl")
                looked.set()
                go.wait(10)
                add(category, "ada_owl", 1)
            return out
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(store)
        assert looked.wait(10)
        yield go.set
        assert future.result() is False


@pytest.mark.django_db(transaction=True)
def test_a_page_that_was_on_its_way_when_they_left_is_erased_too(transactional_db: None) -> None:
    category = Category.objects.create(slug="birds", name="Birds")
    with ThreadPoolExecutor(1) as pool, storing(category) as finish:

        def leave() -> int:
            try:
                return opt_out(platform="twitter", handle="ada_owl", by=None)
            finally:
                connection.close()

        left = pool.submit(leave)
        with pytest.raises(TimeoutError):
            left.result(timeout=0.5)
        finish()
        assert left.result(timeout=10) == 1
    assert texts() == [""]


@pytest.mark.django_db(transaction=True)
def test_two_who_record_one_person_record_them_once(transactional_db: None) -> None:
    category = Category.objects.create(slug="birds", name="Birds")
    add(category, "ada_owl", *range(50))
    left = at_once(4, lambda _: opt_out(platform="twitter", handle="ada_owl", by=None))
    assert sorted(left) == [0, 0, 0, 50]
    assert OptOut.objects.count() == 1
    assert ModerationEvent.objects.count() == 50
