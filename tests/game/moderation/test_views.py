"""The queue as a browser gets it: who may, what it tells and what not, and what becomes of a decision."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from game.moderation import views
from game.moderation.models import Lease
from game.moderation.tokens import tweet_token
from game.pool.models import Author, BulkAction, Kind, ModerationEvent, Status, Tweet, TweetFlag
from tests.people import client_of

PAGES = [
    "/moderate/",
    "/moderate/owls/",
    "/moderate/owls/?view=list",
    "/moderate/owls/origin/?tweet={tweet}",
    "/moderate/search/",
    "/moderate/bulk/?after=approved",
    "/moderate/disagreements/",
]
ACTIONS = [
    "/moderate/owls/next/",
    "/moderate/owls/decide/",
    "/moderate/owls/undo/",
    "/moderate/owls/keep/",
    "/moderate/owls/release/",
    "/moderate/bulk/{bulk}/undo/",
]
FORMS = ["/moderate/bulk/", "/moderate/disagreements/"]
JSON = {"accept": "application/json"}
Waiting = Callable[..., list[Tweet]]


def path_to(path: str, tweet: Tweet) -> str:
    bulk = BulkAction.objects.create(by=User.objects.get_or_create(username="ann")[0], after=Status.APPROVED)
    return path.format(tweet=tweet_token(tweet.pk), bulk=bulk.pk)


def post(client: Client, path: str, **fields: Any) -> dict[str, Any]:
    """Post as the page's script does, and return what it is told."""
    response = client.post(path, fields, headers=JSON)
    assert response.status_code == 200, response.content
    return response.json()


def tokens_in(content: bytes) -> list[str]:
    return re.findall(r'data-tweet="(\w+)"', content.decode())


@pytest.mark.parametrize("path", PAGES)
def test_pages_open_to_moderators_alone(path: str, waiting: Waiting) -> None:
    path = path_to(path, waiting("An owl.")[0])
    codes = {name: client_of(name).get(path).status_code for name in ("anonymous", "ada", "teacher", "moderator")}
    assert codes == {"anonymous": 302, "ada": 403, "teacher": 403, "moderator": 200}


@pytest.mark.parametrize("path", [*ACTIONS, *FORMS])
def test_nobody_else_can_act(path: str, waiting: Waiting) -> None:
    tweet = waiting("An owl.")[0]
    path = path_to(path, tweet)
    fields = {"tweet": tweet_token(tweet.pk), "decide": "approve", "after": "approved", "token": "pending.1"}
    assert [client_of(name).post(path, fields).status_code for name in ("anonymous", "ada", "teacher")] == [302, 403, 403]
    tweet.refresh_from_db()
    assert (tweet.status, Lease.objects.count(), ModerationEvent.objects.count(), BulkAction.objects.count()) == ("pending", 0, 0, 1)


@pytest.mark.parametrize("path", ACTIONS)
def test_following_a_link_does_nothing(path: str, mo: Client, waiting: Waiting) -> None:
    assert mo.get(path_to(path, waiting("An owl.")[0])).status_code == 405


def test_a_page_of_another_site_can_do_nothing(waiting: Waiting) -> None:
    tweet = waiting("An owl.")[0]
    client = client_of("moderator", enforce_csrf_checks=True)
    assert client.post("/moderate/owls/decide/", {"tweet": tweet_token(tweet.pk), "decide": "approve"}).status_code == 403
    assert not ModerationEvent.objects.exists()


def test_the_link_to_the_page_is_shown_to_those_who_may(db: None) -> None:
    shown = {name: 'href="/moderate/"' in client_of(name).get("/account/").content.decode() for name in ("ada", "teacher", "moderator")}
    assert shown == {"ada": False, "teacher": False, "moderator": True}


def test_nothing_but_the_text_tells_who_wrote_it(mo: Client, waiting: Waiting) -> None:
    tweets = waiting("An owl sat on the wire.", "An owl sat on the fence.", "The owl was gone.")
    TweetFlag.objects.create(tweet=tweets[0], flag="near", other=tweets[2])
    person = tweets[0].author
    model = Author.objects.create(kind=Kind.MACHINE, platform="model", handle="owls-v1-with-a-long-name", name="owls v1")
    answers = {}
    for kind, author in (("human", person), ("machine", model)):
        facts = {"likes": 7, "link": "https://example.org/1"} if kind == "human" else {"temperature": 0.9}
        Tweet.objects.filter(pk__in=[tweet.pk for tweet in tweets]).update(author=author, kind=kind, split="play", facts=facts)
        got = [mo.get(path) for path in ("/moderate/owls/", "/moderate/owls/?view=list", "/moderate/", "/moderate/search/?words=owl")]
        got += [mo.post("/moderate/owls/next/"), mo.post("/moderate/owls/keep/", {"tweet": tweet_token(tweets[0].pk)})]
        answers[kind] = [
            (
                re.sub(rb'name="csrfmiddlewaretoken" value="\w+"|"X-CSRFToken": "\w+"', b"", one.content),
                len(one.content),
                [(name, len(value)) for name, value in one.headers.items()],
            )
            for one in got
        ]
    assert answers["human"] == answers["machine"]
    assert all(b"owl" in content for content, _, _ in answers["human"][:2])


def test_the_next_one_is_in_the_page_and_hidden(mo: Client, waiting: Waiting) -> None:
    waiting(count=3)
    page = mo.get("/moderate/owls/").content.decode()
    assert [" hidden>" in tag for tag in re.findall(r"<article[^>]*>", page)] == [False, True, True]


def test_the_origin_is_told_when_asked_for_and_the_log_knows(mo: Client, waiting: Waiting) -> None:
    human, machine = waiting("An owl of Ada's.")[0], waiting("An owl of nobody's.", kind=Kind.MACHINE)[0]
    asked = mo.get("/moderate/owls/origin/", {"tweet": tweet_token(machine.pk)}).content.decode()
    assert "Bot: owls v1" in asked
    page = mo.get("/moderate/owls/", {"show": tweet_token(human.pk)}).content.decode()
    assert "Human: Ada" in page
    assert "Bot: " not in page
    assert '<input type="hidden" name="saw" value="on">' in page
    post(mo, "/moderate/owls/decide/", tweet=tweet_token(machine.pk), decide="approve", saw="on")
    post(mo, "/moderate/owls/decide/", tweet=tweet_token(human.pk), decide="approve", saw="")
    assert dict(ModerationEvent.objects.values_list("tweet", "origin_shown")) == {machine.pk: True, human.pk: False}


def test_whoever_narrows_the_queue_by_origin_has_seen_it(mo: Client, waiting: Waiting) -> None:
    tweet = waiting("An owl of nobody's.", kind=Kind.MACHINE)[0]
    waiting("An owl of Ada's.")
    page = mo.get("/moderate/owls/?origin=machine").content
    assert tokens_in(page) == [tweet_token(tweet.pk)]
    assert b"Bot: owls v1" in page
    post(mo, "/moderate/owls/decide/?origin=machine", tweet=tweet_token(tweet.pk), decide="reject", reason="7")
    assert list(ModerationEvent.objects.values_list("after", "reason", "origin_shown")) == [("rejected", "gives itself away", True)]


def test_ten_lie_ahead_and_more_come_that_the_page_does_not_have(mo: Client, waiting: Waiting) -> None:
    waiting(count=25)
    first = tokens_in(mo.get("/moderate/owls/").content)
    response = mo.post("/moderate/owls/next/", {"tweet": first})
    assert response.content.count(b" hidden>") == 10
    more = tokens_in(response.content)
    last = tokens_in(mo.post("/moderate/owls/next/", {"tweet": [*first, *more]}).content)
    assert [len(first), len(more), len(last), len({*first, *more, *last})] == [10, 10, 5, 25]
    assert Lease.objects.count() == 25


@pytest.mark.parametrize("view", ["", "?view=list"])
def test_ten_tweets_cost_as_many_queries_as_one(view: str, mo: Client, waiting: Waiting) -> None:
    waiting("The only owl that is awake at this hour.")
    mo.get("/moderate/owls/")
    with CaptureQueriesContext(connection) as one:
        mo.get(f"/moderate/owls/{view}")
    waiting(count=9)
    mo.get("/moderate/owls/")
    with CaptureQueriesContext(connection) as ten:
        mo.get(f"/moderate/owls/{view}")
    assert len(ten) == len(one)


def test_two_moderators_never_get_the_same_tweet(mo: Client, kim: Client, waiting: Waiting) -> None:
    waiting(count=15)
    mine, hers = (tokens_in(client.get("/moderate/owls/").content) for client in (mo, kim))
    assert (len(mine), len(hers), set(mine) & set(hers)) == (10, 5, set())
    assert "10 lie before other moderators" in kim.get("/moderate/owls/?words=nothing").content.decode()
    answer = post(kim, "/moderate/owls/decide/", tweet=mine[0], decide="approve")
    assert (answer["outcome"], answer["words"]) == ("refused", "It lies before mo just now.")


def test_a_decision_that_is_sent_twice_counts_once(mo: Client, waiting: Waiting) -> None:
    token = tweet_token(waiting("An owl.")[0].pk)
    answers = [post(mo, "/moderate/owls/decide/", tweet=token, decide="reject", reason="2") for _ in range(2)]
    assert [(answer["outcome"], answer["words"]) for answer in answers] == [("done", "Rejected: reply or piece of a conversation.")] * 2
    assert ModerationEvent.objects.count() == 1


def test_what_somebody_decided_before_is_not_sent_in_anothers_name(mo: Client, kim: Client, waiting: Waiting) -> None:
    token = tweet_token(waiting("An owl.")[0].pk)
    who = User.objects.get(username="mo").pk
    for path in ("/moderate/owls/decide/", "/moderate/owls/undo/"):
        response = kim.post(path, {"tweet": token, "decide": "approve", "who": who}, headers=JSON)
        assert (response.status_code, response.json()["words"]) == (409, "Somebody else is signed in.")
    assert not ModerationEvent.objects.exists()
    assert post(mo, "/moderate/owls/decide/", tweet=token, decide="approve", who=who)["outcome"] == "done"


def test_undo_brings_the_tweet_back_and_asked_again_does_no_more(mo: Client, waiting: Waiting) -> None:
    one, other = waiting("An owl.", "Another owl.")
    for tweet in (one, other):
        post(mo, "/moderate/owls/decide/", tweet=tweet_token(tweet.pk), decide="approve")
    for _ in range(2):
        answer = post(mo, "/moderate/owls/undo/", only=tweet_token(other.pk))
        assert (answer["outcome"], answer["words"], answer["tweet"]) == ("done", "Undone.", tweet_token(other.pk))
        assert tokens_in(answer["item"].encode()) == [tweet_token(other.pk)]
    assert list(Tweet.objects.order_by("pk").values_list("status", flat=True)) == ["approved", "pending"]
    assert Lease.objects.get().tweet_id == other.pk


def test_undo_is_refused_after_someone_elses_change_and_the_one_before_it_can_be_undone(mo: Client, kim: Client, waiting: Waiting) -> None:
    one, other = waiting("An owl.", "Another owl.")
    for tweet in (one, other):
        post(mo, "/moderate/owls/decide/", tweet=tweet_token(tweet.pk), decide="approve")
    kim.post("/moderate/bulk/", {"words": "another", "after": "rejected", "token": preview_token(kim, words="another", after="rejected")})
    page = mo.post("/moderate/owls/undo/", follow=True)
    assert "kim rejected it since." in page.content.decode()
    path = re.search(r'formaction="(/moderate/owls/undo/\?before=\d+)"', page.content.decode())
    assert path
    assert post(mo, path[1])["tweet"] == tweet_token(one.pk)
    assert list(Tweet.objects.order_by("pk").values_list("status", flat=True)) == ["pending", "rejected"]


def preview_token(client: Client, **query: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', client.get("/moderate/bulk/", query).content.decode())
    assert found
    return found[1]


def test_leases_are_kept_while_the_page_is_open_and_lost_ones_told(mo: Client, kim: Client, waiting: Waiting) -> None:
    waiting(count=3)
    tokens = tokens_in(mo.get("/moderate/owls/").content)
    gone = Lease.objects.order_by("tweet").first()
    assert gone
    Lease.objects.filter(pk=gone.pk).update(by=User.objects.get(username="kim"))
    Lease.objects.exclude(pk=gone.pk).update(until=timezone.now() + timedelta(seconds=5))
    assert mo.post("/moderate/owls/keep/", {"tweet": tokens}).json() == {"lost": [tweet_token(gone.pk)]}
    assert all(lease.until > timezone.now() + timedelta(minutes=2) for lease in Lease.objects.filter(by__username="mo"))


def test_who_leaves_frees_theirs_at_once(mo: Client, kim: Client, waiting: Waiting) -> None:
    waiting(count=3)
    assert '<form id="stop" method="post" action="/moderate/owls/release/">' in mo.get("/moderate/owls/").content.decode()
    page = mo.post("/moderate/owls/release/", follow=True)
    assert "3 tweets that lay before you are free for others again." in page.content.decode()
    assert len(tokens_in(kim.get("/moderate/owls/").content)) == 3


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("decide", {"decide": "adore"}),
        ("decide", {"decide": "approve nonsense"}),
        ("decide", {"decide": "approve", "tweet": "1"}),
        ("decide", {}),
        ("undo", {"only": "nonsense"}),
        ("keep", {"tweet": "nonsense"}),
    ],
)
def test_what_makes_no_sense_is_refused(path: str, fields: dict[str, str], mo: Client, waiting: Waiting) -> None:
    waiting("An owl.")
    response = mo.post(f"/moderate/owls/{path}/", fields)
    assert (response.status_code, response["Content-Type"]) == (400, "text/plain")
    assert not ModerationEvent.objects.exists()


def test_a_filter_that_can_not_be_followed_is_told_and_left_out(mo: Client, waiting: Waiting) -> None:
    waiting("An owl.")
    page = mo.get("/moderate/owls/?flag=nonsense", follow=True)
    assert page.redirect_chain == [("/moderate/owls/", 302)]
    assert "flag: “nonsense” is none of" in page.content.decode()


def test_whoever_decides_too_fast_for_a_person_waits(mo: Client, waiting: Waiting, settings) -> None:
    settings.RATE_MODERATION = "1/h"
    token = tweet_token(waiting("An owl.")[0].pk)
    assert [mo.post("/moderate/owls/keep/", {"tweet": token}).status_code for _ in range(2)] == [200, 429]


def test_the_limit_leaves_room_for_fast_people(settings) -> None:
    assert views.AHEAD < 40
    assert settings.RATE_MODERATION == "40/s"
