"""One tweet, decided on from its own page."""

from collections.abc import Callable

import pytest
from django.test import Client

from game.moderation.single import CHANGES
from game.pool.models import Category, ModerationEvent, Status, Tweet
from tests.game.moderation.moderators import decide, log_of

Waiting = Callable[..., list[Tweet]]


def press(client: Client, tweet: Tweet, after: str, before: str, reason: str = "asked by mail") -> str:
    """Press a button on a tweet's page, and return the page that follows."""
    fields = {"after": after, "before": before, "reason": reason}
    return client.post(f"/moderate/tweet/{tweet.pk}/change/", fields, follow=True).content.decode()


def status_of(tweet: Tweet) -> str:
    return Tweet.objects.get(pk=tweet.pk).status


@pytest.mark.parametrize(("before", "after"), [(before, after) for before, those in CHANGES.items() for after in those])
def test_each_button_that_a_page_has_is_one_event_that_is_undone_there(before: str, after: str, mo: Client, waiting: Waiting) -> None:
    (tweet,) = waiting("An owl.")
    Tweet.objects.filter(pk=tweet.pk).update(status=before)
    assert f'name="after" value="{after}"' in mo.get(f"/moderate/tweet/{tweet.pk}/").content.decode()
    press(mo, tweet, after, before)
    assert (status_of(tweet), log_of(tweet)) == (after, [("mo", before, after, "asked by mail")])
    mo.post(f"/moderate/tweet/{tweet.pk}/undo/", {"event": ModerationEvent.objects.get().pk})
    assert status_of(tweet) == before


@pytest.mark.parametrize(
    ("after", "before", "reason", "said"),
    [
        ("withdrawn", "approved", " ", "Nothing was done: say why."),
        ("withdrawn", "pending", "why", "Nothing was done: it is approved by now."),
        ("rejected", "approved", "why", "Nothing was done: what is approved does not become rejected here."),
        ("erased", "approved", "why", "Nothing was done: what is approved does not become erased here."),
    ],
)
def test_what_the_page_did_not_offer_is_not_done(after: str, before: str, reason: str, said: str, mo: Client, waiting: Waiting) -> None:
    (tweet,) = waiting("An owl.")
    Tweet.objects.update(status=Status.APPROVED)
    assert said in press(mo, tweet, after, before, reason)
    assert (status_of(tweet), log_of(tweet)) == ("approved", [])


def test_a_reason_is_one_line_of_what_the_log_can_hold(mo: Client, waiting: Waiting) -> None:
    (tweet,) = waiting("An owl.")
    press(mo, tweet, "withdrawn", "pending", " asked\x00by\r\nmail ")
    assert log_of(tweet) == [("mo", "pending", "withdrawn", "asked by mail")]


def test_what_lies_before_somebody_else_is_theirs(owls: Category, kim: Client, mo: Client, waiting: Waiting) -> None:
    (tweet,) = waiting("An owl.")
    kim.get("/moderate/owls/")
    assert "it lies before kim just now." in press(mo, tweet, "withdrawn", "pending")
    assert "It lies before kim just now." in press(mo, tweet, "approved", "pending")
    assert log_of(tweet) == []


def test_where_two_decide_the_page_is_one_of_them(owls: Category, mo: Client, waiting: Waiting) -> None:
    owls.double_share = 1.0
    owls.save()
    (tweet,) = waiting("An owl.")
    assert "Noted; somebody else looks at it too." in press(mo, tweet, "approved", "pending", "")
    assert (status_of(tweet), Tweet.objects.get().stage) == ("pending", "second")
    decide("bob", tweet)
    assert status_of(tweet) == "approved"
    assert ModerationEvent.objects.filter(origin_shown=True).count() == 1


def test_a_tweet_without_words_has_no_buttons(mo: Client, waiting: Waiting) -> None:
    (tweet,) = waiting("An owl.")
    Tweet.objects.update(status=Status.WITHDRAWN, text="")
    assert 'name="after"' not in mo.get(f"/moderate/tweet/{tweet.pk}/").content.decode()
    press(mo, tweet, "pending", "withdrawn")
    assert status_of(tweet) == "withdrawn"
