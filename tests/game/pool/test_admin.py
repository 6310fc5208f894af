import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from game.pool.models import ModerationEvent, Tweet

PATH = "/admin/pool/tweet/"


def client_of(role: str | None) -> Client:
    user = User.objects.create_user(role or "player", is_staff=role == "moderator")
    if role:
        user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def reject_first(client: Client) -> int:
    tweet = Tweet.objects.first()
    assert tweet
    return client.post(PATH, {"action": "reject", "_selected_action": [tweet.pk]}).status_code


def test_a_moderator_rejects_a_tweet_and_the_event_says_so(category) -> None:
    assert reject_first(client_of("moderator")) == 302
    event = ModerationEvent.objects.get()
    assert (event.by.username, event.before, event.after, event.tweet.status) == ("moderator", "approved", "rejected", "rejected")


@pytest.mark.parametrize("role", ["teacher", None])
def test_others_are_refused(category, role: str | None) -> None:
    client = client_of(role)
    assert client.get(PATH).status_code == 302
    reject_first(client)
    assert not Tweet.objects.filter(status="rejected").exists()


def test_staff_without_the_role_are_refused(category) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(PATH).status_code == 403
    assert reject_first(client) == 403


def test_nobody_adds_changes_or_deletes_a_tweet_by_form(category) -> None:
    client, tweet = client_of("moderator"), Tweet.objects.first()
    assert tweet
    assert client.get(f"{PATH}add/").status_code == 403
    assert client.get(f"{PATH}{tweet.pk}/delete/").status_code == 403
    assert client.post(f"{PATH}{tweet.pk}/change/", {"text": "changed"}).status_code == 403
