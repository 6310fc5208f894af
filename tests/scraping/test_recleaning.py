import io
import re
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db.models import Q

from game.pool.models import Author, Category, Kind, ModerationEvent, Status, Tweet
from game.pool.services import NewTweet, add_tweets, erase_tweets, get_author, moderate_tweets
from scraping import recleaning
from scraping.management.commands import reclean as command
from scraping.models import Feed, OptOut, RawPost
from scraping.optouts import forget_posts
from scraping.recleaning import RecleanReport, reclean
from scraping.rules import CLEANING_VERSION, Drop, Post
from scraping.store import to_record
from tests.scraping.conftest import sentence

OLD = CLEANING_VERSION - 1
PIECE = f"2/3 {sentence(50)}"


@pytest.fixture
def feed(category: Category) -> Feed:
    return Feed.objects.create(category=category, source="bluesky", handle="ada.example", account_id="did:plc:ada")


@pytest.fixture
def ada(db: None) -> Author:
    return get_author(kind=Kind.HUMAN, platform="bluesky", handle="ada.example", name="Ada")


@pytest.fixture
def moderator(db: None) -> User:
    return User.objects.create_user("mo")


def post(text: str, number: int = 1, **fields: Any) -> Post:
    return replace(Post(text=text, handle="ada.example", platform="bluesky", name="Ada", facts={"source_id": f"at://{number}"}), **fields)


def add_raw(feed: Feed, raw: Post, outcome: str, tweet: Tweet | None = None, cleaning: int = OLD) -> RawPost:
    """Store a post as an earlier cleaning left it."""
    return RawPost.objects.create(
        feed=feed, source_id=f"{raw.facts['source_id']} {RawPost.objects.count()}", in_pass=0, record=to_record(raw),
        outcome=outcome, cleaning=cleaning, tweet=tweet,
    )  # fmt: skip


def add_tweet(category: Category, author: Author, text: str, status: str = Status.PENDING) -> Tweet:
    add_tweets(category=category, tweets=[NewTweet(author, text, facts={"likes": 3})], status=status)
    return Tweet.objects.get(category=category, text=text)


def state(raw: RawPost) -> tuple[str, int, str | None, str | None]:
    raw.refresh_from_db()
    return raw.outcome, raw.cleaning, raw.tweet.text if raw.tweet else None, raw.tweet.status if raw.tweet else None


def events(tweet: Tweet) -> list[tuple[str, str, str, User | None]]:
    found = ModerationEvent.objects.filter(tweet=tweet).order_by("pk")
    return [(event.before, event.after, event.reason, event.by) for event in found]


def test_what_is_as_it_should_be_stays_and_is_marked_as_seen(category: Category, feed: Feed, ada: Author) -> None:
    tweet = add_tweet(category, ada, sentence(1))
    kept, dropped = add_raw(feed, post(sentence(1)), "kept", tweet), add_raw(feed, post("short"), "TOO_SHORT")
    assert reclean(category=category) == RecleanReport(same=2)
    assert state(kept) == ("kept", CLEANING_VERSION, sentence(1), "pending")
    assert state(dropped) == ("TOO_SHORT", CLEANING_VERSION, None, None)
    assert ModerationEvent.objects.count() == 0


@pytest.mark.parametrize("status", ["pending", "approved"])
def test_a_post_that_is_not_kept_any_more_takes_its_tweet_out(category: Category, feed: Feed, ada: Author, status: str) -> None:
    tweet = add_tweet(category, ada, PIECE, status)
    raw = add_raw(feed, post(PIECE), "kept", tweet)
    report = reclean(category=category)
    assert (report.dropped_now, report.posts) == ({Drop.PIECE: 1}, 1)
    assert state(raw) == ("PIECE", CLEANING_VERSION, PIECE, "rejected")
    assert events(tweet) == [(status, "rejected", f"cleaning {CLEANING_VERSION}: piece of a thread", None)]


def test_a_post_that_is_kept_now_waits_for_a_moderator(category: Category, feed: Feed) -> None:
    raw = add_raw(feed, post(f"\u201c{sentence(1)}\u201d"), "LANGUAGE")
    assert reclean(category=category) == RecleanReport(kept_now=1)
    assert state(raw) == ("kept", CLEANING_VERSION, f'"{sentence(1)}"', "pending")
    tweet = Tweet.objects.get()
    assert (tweet.author.handle, tweet.author.name, tweet.facts) == ("ada.example", "Ada", {"source_id": "at://1"})


def test_another_reason_is_written_down(category: Category, feed: Feed) -> None:
    raw = add_raw(feed, post(PIECE), "TOO_LONG")
    assert reclean(category=category) == RecleanReport(reason_changed=1)
    assert state(raw) == ("PIECE", CLEANING_VERSION, None, None)


@pytest.mark.parametrize("status", ["pending", "approved"])
def test_a_text_that_changes_takes_the_place_of_the_old_one(category: Category, feed: Feed, ada: Author, status: str) -> None:
    old = add_tweet(category, ada, f"{sentence(1)} amp", status)
    raw = add_raw(feed, post(sentence(1)), "kept", old)
    assert reclean(category=category) == RecleanReport(changed=1)
    assert state(raw) == ("kept", CLEANING_VERSION, sentence(1), status)
    old.refresh_from_db()
    assert old.status == "rejected"
    assert raw.tweet
    assert (raw.tweet.facts, raw.tweet.author) == ({"likes": 3}, ada)
    assert reclean(category=category, everything=True) == RecleanReport(same=1)


def test_a_text_that_changes_in_its_signs_alone_stays_the_same_tweet(category: Category, feed: Feed, ada: Author) -> None:
    old = add_tweet(category, ada, f"\u2018{sentence(1)}\u2019", "approved")
    raw = add_raw(feed, post(f"\u2018{sentence(1)}\u2019"), "kept", old)
    assert reclean(category=category) == RecleanReport(changed=1)
    assert state(raw) == ("kept", CLEANING_VERSION, f"'{sentence(1)}'", "approved")
    assert (raw.tweet, events(old)) == (old, [])


@pytest.mark.parametrize(("decided", "text"), [("approved", PIECE), ("approved", f"{sentence(1)} amp")])
def test_what_a_person_approved_is_left(category: Category, feed: Feed, ada: Author, moderator: User, decided: str, text: str) -> None:
    tweet = add_tweet(category, ada, text)
    raw = add_raw(feed, post(PIECE if text == PIECE else sentence(1)), "kept", tweet)
    moderate_tweets(tweets=Q(pk=tweet.pk), by=moderator, after=decided)
    assert reclean(category=category) == RecleanReport(by_people=1)
    assert state(raw) == ("kept", CLEANING_VERSION, text, decided)
    assert Tweet.objects.count() == 1


@pytest.mark.parametrize("after", ["rejected", "withdrawn"])
def test_what_a_person_took_out_never_comes_back(category: Category, feed: Feed, ada: Author, moderator: User, after: str) -> None:
    tweet = add_tweet(category, ada, sentence(1))
    kept, repeated = add_raw(feed, post(sentence(1)), "kept", tweet), add_raw(feed, post(sentence(1), 2), "LANGUAGE")
    moderate_tweets(tweets=Q(pk=tweet.pk), by=moderator, after=after)
    assert reclean(category=category) == RecleanReport(same=1, reason_changed=1)
    assert state(kept) == ("kept", CLEANING_VERSION, sentence(1), after)
    assert state(repeated) == ("DUPLICATE", CLEANING_VERSION, sentence(1), after)
    assert len(events(tweet)) == 1


def test_what_was_rejected_by_a_person_after_us_never_comes_back(category: Category, feed: Feed, ada: Author, moderator: User) -> None:
    tweet = add_tweet(category, ada, sentence(1))
    raw = add_raw(feed, post(sentence(1)), "PIECE", tweet)
    for by, after in ((None, "rejected"), (moderator, "approved"), (None, "rejected")):
        moderate_tweets(tweets=Q(pk=tweet.pk), by=by, after=after, reason="" if by else "cleaning 0: piece of a thread")
    assert reclean(category=category) == RecleanReport(reason_changed=1)
    assert state(raw) == ("DUPLICATE", CLEANING_VERSION, sentence(1), "rejected")


def test_what_is_erased_or_gone_stays_so(category: Category, feed: Feed, ada: Author) -> None:
    tweet = add_tweet(category, ada, sentence(1))
    kept, gone = add_raw(feed, post(sentence(1)), "kept", tweet), add_raw(feed, post(sentence(2), 2), "LANGUAGE")
    erase_tweets(tweets=Q(pk=tweet.pk), by=None, reason="deleted at the source")
    forget_posts(RawPost.objects.filter(pk=gone.pk))
    assert reclean(category=category, everything=True) == RecleanReport(same=1)
    assert state(kept) == ("kept", CLEANING_VERSION, "", "withdrawn")
    assert state(gone) == ("gone", OLD, None, None)
    assert Tweet.objects.count() == 1


@pytest.mark.parametrize("opted", [{"handle": "ada.example"}, {"handle": "elsewhere.example", "account_id": "did:plc:ada"}])
def test_nothing_is_added_of_somebody_who_opted_out(category: Category, feed: Feed, opted: dict[str, str]) -> None:
    OptOut.objects.create(platform="bluesky", **opted)
    add_raw(feed, post(sentence(1)), "LANGUAGE")
    assert reclean(category=category) == RecleanReport()
    assert not Tweet.objects.exists()


def test_what_we_dropped_and_should_not_have_comes_back_as_it_was(category: Category, feed: Feed, ada: Author) -> None:
    tweet = add_tweet(category, ada, sentence(1), "approved")
    raw = add_raw(feed, post(sentence(1)), "PIECE", tweet)
    moderate_tweets(tweets=Q(pk=tweet.pk), by=None, after="rejected", reason="cleaning 0: piece of a thread")
    assert reclean(category=category) == RecleanReport(kept_now=1)
    assert state(raw) == ("kept", CLEANING_VERSION, sentence(1), "approved")
    assert events(tweet)[1:] == [("rejected", "approved", f"cleaning {CLEANING_VERSION}: fits again", None)]


def test_a_repeat_takes_over_where_the_first_is_dropped(category: Category, feed: Feed, ada: Author) -> None:
    tweet = add_tweet(category, ada, sentence(1), "approved")
    first = add_raw(feed, post(sentence(1), is_reply=True), "kept", tweet)
    repeat = add_raw(feed, post(sentence(1), 2), "DUPLICATE", tweet)
    reclean(category=category)
    assert state(first) == ("REPLY", CLEANING_VERSION, sentence(1), "approved")
    assert state(repeat) == ("kept", CLEANING_VERSION, sentence(1), "approved")


def test_two_posts_that_come_to_one_text_are_one_tweet(category: Category, feed: Feed) -> None:
    raws = [add_raw(feed, post(sentence(1), number), "LANGUAGE") for number in range(2)]
    assert reclean(category=category) == RecleanReport(kept_now=1, reason_changed=1)
    assert [state(raw)[0] for raw in raws] == ["kept", "DUPLICATE"]
    assert Tweet.objects.count() == 1


def test_posts_that_this_version_saw_are_let_be_unless_all_are_asked_for(category: Category, feed: Feed) -> None:
    raw = add_raw(feed, post(sentence(1)), "LANGUAGE", cleaning=CLEANING_VERSION)
    assert reclean(category=category) == RecleanReport()
    assert reclean(category=category, everything=True) == RecleanReport(kept_now=1)
    assert state(raw)[0] == "kept"


def test_tweets_of_files_are_cleaned_by_their_texts(category: Category, ada: Author, moderator: User) -> None:
    texts = [sentence(1), PIECE, f"\u2018{sentence(3)}\u2019", f"2/2 {sentence(4)}"]
    good, piece, quoted, approved = (add_tweet(category, ada, text, "approved") for text in texts)
    moderate_tweets(tweets=Q(pk=approved.pk), by=moderator, after="pending")
    machine = get_author(kind=Kind.MACHINE, platform="model", handle="m")
    add_tweet(category, machine, f"3/3 {sentence(5)}", "approved")
    report = reclean(category=category)
    assert report == RecleanReport(same=1, changed=1, by_people=1, dropped_now=report.dropped_now)
    assert report.dropped_now == {Drop.PIECE: 1}
    found = dict(Tweet.objects.values_list("pk", "status"))
    assert [found[tweet.pk] for tweet in (good, piece, quoted, approved)] == ["approved", "rejected", "approved", "pending"]
    quoted.refresh_from_db()
    assert quoted.text == f"'{sentence(3)}'"
    # Once more: what we rejected is still no good.
    assert reclean(category=category) == RecleanReport(same=3, by_people=1)


def test_a_pruned_post_follows_its_tweet(category: Category, feed: Feed, ada: Author) -> None:
    raw = add_raw(feed, post(PIECE), "kept", add_tweet(category, ada, PIECE))
    RawPost.objects.update(record=None)
    assert reclean(category=category).dropped_now == {Drop.PIECE: 1}
    assert state(raw) == ("PIECE", CLEANING_VERSION, PIECE, "rejected")


def test_other_categories_are_let_be(category: Category, feed: Feed) -> None:
    raw = add_raw(feed, post(sentence(1)), "LANGUAGE")
    assert reclean(category=Category.objects.create(slug="barn", name="Barn")) == RecleanReport()
    assert state(raw) == ("LANGUAGE", OLD, None, None)


def make_many(category: Category, feed: Feed, ada: Author) -> None:
    for number in range(5):
        add_raw(feed, post(sentence(number), number), "LANGUAGE")
        add_raw(feed, post(f"1/5 {sentence(number)}", number), "kept", add_tweet(category, ada, f"1/5 {sentence(number)}"))
        add_tweet(category, ada, f"2/5 {sentence(number)}")


def everything() -> list[Any]:
    raws = RawPost.objects.order_by("pk").values_list("pk", "outcome", "cleaning", "tweet__text")
    return [*raws, *Tweet.objects.order_by("text").values_list("text", "status"), ModerationEvent.objects.count()]


def test_a_dry_run_says_the_same_and_changes_nothing(category: Category, feed: Feed, ada: Author) -> None:
    make_many(category, feed, ada)
    before = everything()
    said = reclean(category=category, dry_run=True)
    assert everything() == before
    assert reclean(category=category) == said
    assert (said.kept_now, said.dropped_now) == (5, {Drop.PIECE: 10})


@pytest.mark.parametrize("after", [1, 2, 4, 6])
def test_a_run_that_is_interrupted_and_run_again_ends_like_one_that_was_not(
    category: Category, feed: Feed, ada: Author, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(recleaning, "BATCH", 3)
    make_many(category, feed, ada)
    told: list[int] = []

    def interrupt(report: RecleanReport) -> None:
        told.append(report.posts)
        if len(told) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reclean(category=category, tell=interrupt)
    reclean(category=category)
    outcomes = RawPost.objects.order_by("pk").values_list("outcome", "cleaning")
    assert list(outcomes) == [("kept", CLEANING_VERSION), ("PIECE", CLEANING_VERSION)] * 5
    assert sorted(Tweet.objects.values_list("status", flat=True)) == ["pending"] * 5 + ["rejected"] * 10
    assert ModerationEvent.objects.count() == 10


def run(*args: str) -> tuple[dict[str, int], str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("reclean", *args, stdout=out, stderr=err)
    table = re.findall(r"│ (\S[^│]*?) +│ +([\d,]+) │", out.getvalue())
    return {name: int(count.replace(",", "")) for name, count in table}, out.getvalue().splitlines()[-1], err.getvalue()


def test_the_command_tells_what_became_of_all(
    category: Category, feed: Feed, ada: Author, moderator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SECONDS_BETWEEN_LINES", 0.0)
    make_many(category, feed, ada)
    expected = {
        "as before": 0,
        "text changed": 0,
        "kept now": 5,
        "dropped now: piece of a thread": 10,
        "dropped for another reason": 0,
        "left as somebody decided": 0,
        "looked at": 15,
    }
    assert run("birds", "--dry-run") == (expected, "Nothing was changed.", "10 posts looked at\n15 posts looked at\n")
    assert run()[0] == expected
    assert run("--all")[0]["as before"] == 15
    assert run()[0]["looked at"] == 5


def test_a_category_that_is_none_is_told(category: Category) -> None:
    with pytest.raises(CommandError, match=r"^'bards' is no category\. There are: birds\.$"):
        call_command("reclean", "bards")


def test_an_interruption_is_told_in_a_line(category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "reclean", interrupt)
    with pytest.raises(CommandError, match=r"^Interrupted: what is counted is stored\. Run it again for the rest\.$"):
        call_command("reclean", stdout=io.StringIO())
