"""The log: per tweet, for everybody, as CSV; and undoing the last step of a tweet."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db.models import Q
from django.test import AsyncClient, Client

from game.accounts.services import create_guest
from game.moderation.categories import change_category
from game.moderation.history import COLUMNS, Query, read_history, read_log, write_csv
from game.moderation.models import TweetReport
from game.moderation.search import BadFilter
from game.moderation.takedowns import take_down
from game.moderation.targets import find_target
from game.moderation.tokens import tweet_token
from game.pool.models import Category, ModerationEvent, Status, Tweet, TweetFlag
from game.pool.services import moderate_tweets
from tests.game.moderation.moderators import NOON, decide, log_of, moderator

Waiting = Callable[..., list[Tweet]]


def test_a_tweets_history_says_all_that_happened_newest_first(waiting: Waiting) -> None:
    (tweet,) = waiting("An owl.")
    decide("mo", tweet, "reject", "3")
    TweetFlag.objects.create(tweet=tweet, flag="unsafe", detail="owl")
    TweetReport.objects.create(tweet=tweet, player=create_guest(), reason="cruel")
    steps = [(step.who, step.what, step.detail) for step in read_history(tweet).steps]
    assert sorted(steps) == [
        ("a player", "reported", "cruel"),
        ("mo", "pending → rejected", "unsafe or cruel"),
        ("nobody", "flag: unsafe word", "owl"),
    ]


def test_its_page_says_who_wrote_it_and_opens_by_number_and_by_token(mo: Client, waiting: Waiting) -> None:
    (tweet,) = waiting("An owl.")
    pages = [mo.get(f"/moderate/tweet/{name}/").content.decode() for name in (tweet.pk, tweet_token(tweet.pk))]
    assert all("An owl." in page and "human-owl" in page for page in pages)
    assert [mo.get(f"/moderate/tweet/{name}/").status_code for name in ("999999", "nonsense")] == [404, 404]


@pytest.mark.parametrize("after", ["approved", "withdrawn"])
def test_the_last_step_is_undone_whoever_did_it_and_one_by_many_too(after: str, mo: Client, waiting: Waiting) -> None:
    (tweet,) = waiting("An owl.")
    moderate_tweets(tweets=Q(pk=tweet.pk), by=moderator("kim"), after=after, reason="why")
    mo.post(f"/moderate/tweet/{tweet.pk}/undo/", {"event": ModerationEvent.objects.get().pk})
    assert log_of(tweet) == [("kim", "pending", after, "why"), ("mo", after, "pending", "undone")]
    tweet.refresh_from_db()
    assert tweet.status == Status.PENDING


def test_a_step_before_the_last_is_not_undone_and_says_why(mo: Client, waiting: Waiting) -> None:
    (tweet,) = waiting("An owl.")
    moderate_tweets(tweets=Q(pk=tweet.pk), by=moderator("kim"), after="approved")
    first = ModerationEvent.objects.get()
    moderate_tweets(tweets=Q(pk=tweet.pk), by=moderator("ann"), after="rejected")
    page = mo.post(f"/moderate/tweet/{tweet.pk}/undo/", {"event": first.pk}, follow=True).content.decode()
    assert "Not undone: ann rejected it since." in page
    assert len(log_of(tweet)) == 2


def test_nothing_of_what_was_taken_down_is_undone(mo: Client, waiting: Waiting) -> None:
    (tweet,) = waiting("An owl.")
    receipt = take_down(target=find_target(str(tweet.pk)), by=None, reason="why", now=NOON)
    page = mo.get(f"/moderate/tweet/{tweet.pk}/").content.decode()
    assert (receipt.number in page, "Undo the last step" in page) == (True, False)
    page = mo.post(f"/moderate/tweet/{tweet.pk}/undo/", {"event": ModerationEvent.objects.get().pk}, follow=True).content.decode()
    assert "Not undone: its words are gone for good." in page
    assert Tweet.objects.get(pk=tweet.pk).status == "withdrawn"


def test_an_event_of_another_tweet_is_not_undone_here(mo: Client, waiting: Waiting) -> None:
    one, other = waiting("An owl.", "A gull.")
    decide("mo", other)
    event = ModerationEvent.objects.get()
    assert mo.post(f"/moderate/tweet/{one.pk}/undo/", {"event": event.pk}).status_code == 404
    assert len(log_of(other)) == 1


@pytest.fixture
def written(waiting: Waiting) -> list[Tweet]:
    """Return three tweets, of which two people and a rule have decided."""
    tweets = waiting("An owl.", "A gull.", "A wren.")
    decide("mo", tweets[0])
    decide("kim", tweets[1], "reject", "=1+1 is two")
    moderate_tweets(tweets=Q(pk=tweets[2].pk), by=None, after="approved", reason="no flag")
    return tweets


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [2, 1, 0]),
        ({"who": "mo"}, [0]),
        ({"who": "nobody"}, [2]),
        ({"what": "rejected"}, [1]),
        ({"what": "undone"}, []),
        ({"until": "2020-01-01"}, []),
        ({"since": "2020-01-01"}, [2, 1, 0]),
        ({"who": "eve'; --"}, []),
    ],
)
def test_the_log_is_filtered_by_who_when_and_what(asked: dict[str, str], found: list[int], written: list[Tweet]) -> None:
    assert [line.on for line in read_log(Query.parse(asked))] == [f"tweet {written[place].pk}" for place in found]


def test_the_log_pages_without_gap_or_repetition(written: list[Tweet]) -> None:
    first = read_log(Query(), count=2)
    rest = read_log(Query(), below=first[-1].pk, count=2)
    assert [line.on for line in first + rest] == [f"tweet {tweet.pk}" for tweet in reversed(written)]


def test_categories_and_takedowns_are_in_the_log(owls: Category, written: list[Tweet]) -> None:
    change_category(category=owls, values={"name": "Night owls", "active": False, "rejects": ["unsafe", "near"]}, by=moderator("mo"))
    take_down(target=find_target(str(written[0].pk)), by=moderator("kim"), reason="their wish", now=NOON)
    (changed,), (taken,) = (read_log(Query.parse({"what": what})) for what in ("categories", "takedowns"))
    assert (changed.who, changed.on) == ("mo", "category owls")
    assert changed.before == "Name: Owls; Shown to players: yes; Rejected by themselves: none"
    assert changed.after == "Name: Night owls; Shown to players: no; Rejected by themselves: unsafe word, near-duplicate"
    assert (taken.who, taken.on, taken.reason) == ("kim", f"BB-2020-000001: tweet {written[0].pk}", "their wish")


@pytest.mark.parametrize("asked", [{"what": "everything"}, {"since": "soon"}, {"since": "2020-02-02", "until": "2020-01-01"}])
def test_a_question_that_makes_no_sense_is_answered_in_one_line(asked: dict[str, str], mo: Client) -> None:
    with pytest.raises(BadFilter):
        Query.parse(asked)
    assert [mo.get("/moderate/log/", asked).status_code, mo.get("/moderate/log.csv", asked).status_code] == [422, 400]


def test_no_cell_of_the_csv_is_a_formula(written: list[Tweet]) -> None:
    rows = list(csv.reader(io.StringIO("".join(write_csv(Query())))))
    assert rows[0] == list(COLUMNS)
    assert [row[7] for row in rows[1:]] == ["no flag", "'=1+1 is two", ""]


def all_that_is_told(client: Client, tweet: Tweet) -> str:
    """Return the words of the log, its CSV, and the tweet's own page; of that only what happened, not who wrote the tweet."""
    page = client.get(f"/moderate/tweet/{tweet.pk}/").content.decode().partition('id="steps-title"')[2]
    records = client.get("/moderate/log/").content.decode().partition('<ol class="records">')[2]
    return page + records.partition("</ol>")[0] + "".join(write_csv(Query()))


def test_nothing_tells_a_first_verdict_before_the_second_person_has_spoken(owls: Category, kim: Client, waiting: Waiting) -> None:
    owls.double_share = 1.0
    owls.save()
    (tweet,) = waiting("An owl.")
    decide("bob", tweet, "reject", "4")
    told = all_that_is_told(kim, tweet)
    assert (told.count("one of two"), "reject" in told, "personal data" in told, "bob" in told.lower()) == (3, False, False, True)
    decide("cy", tweet, "reject", "5")
    told = all_that_is_told(kim, tweet)
    assert told.count("one of two: reject: personal data") == 3
    assert "Said reject" in told


def test_nothing_tells_who_said_what_of_an_open_dispute_until_it_is_settled(owls: Category, kim: Client, waiting: Waiting) -> None:
    owls.double_share = 1.0
    owls.save()
    (tweet,) = waiting("An owl.")
    decide("bob", tweet, "approve")
    decide("cy", tweet, "reject", "4")
    told = all_that_is_told(kim, tweet).lower()
    assert [word in told for word in ("bob", "cy,", "cy ", "approve", "reject", "personal data")] == [False] * 6
    assert told.count("somebody") == 6
    assert [read_log(Query(who=name)) for name in ("bob", "cy")] == [[], []]
    decide("dan", tweet, "approve")
    told = all_that_is_told(kim, tweet)
    assert told.count("one of two: approve") == told.count("one of two: reject: personal data") == 3
    assert [len(read_log(Query(who=name))) for name in ("bob", "cy", "dan")] == [1, 1, 1]


def test_the_admin_does_not_list_a_verdict_that_waits_for_another(owls: Category, admin_client: Client, waiting: Waiting) -> None:
    owls.double_share = 1.0
    owls.save()
    (tweet,) = waiting("An owl.")
    decide("bob", tweet, "approve")
    assert "one of two" not in admin_client.get("/admin/pool/moderationevent/").content.decode()
    decide("cy", tweet, "approve")
    assert "one of two: approve" in admin_client.get("/admin/pool/moderationevent/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_csv_is_streamed_as_utf8(mo: Client, owls: Category, waiting: Waiting) -> None:
    (tweet,) = waiting("An owl.")
    decide("mo", tweet, "reject", "Größe")

    async def fetch() -> tuple[str, str]:
        client = AsyncClient()
        client.cookies = mo.cookies
        response: Any = await client.get("/moderate/log.csv")
        return response["Content-Type"], b"".join([chunk async for chunk in response.streaming_content]).decode()

    kind, text = async_to_sync(fetch)()
    assert kind == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(text)))[1][7] == "Größe"


def test_the_pages_show_what_was_done_and_no_tweets_words(mo: Client, written: list[Tweet]) -> None:
    page = mo.get("/moderate/log/").content.decode()
    assert (page.count('class="record"'), "=1+1 is two" in page, "An owl." in page) == (3, True, False)
