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
    assert event.by
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


def test_the_admin_has_no_sign_in_of_its_own(db: None) -> None:
    response = Client().get("/admin/login/?next=/admin/pool/")
    assert response["Location"] == "/account/sign-in/?next=%2Fadmin%2Fpool%2F"
    assert Client().post("/admin/login/", {"username": "moderator", "password": "guess"})["Location"].startswith("/account/sign-in/")


@pytest.mark.parametrize("role", ["teacher", None])
def test_those_signed_in_who_may_not_are_told_so_and_not_sent_in_circles(db: None, role: str | None) -> None:
    assert client_of(role).get("/admin/", follow=True).status_code == 403


def test_a_moderator_says_why(category) -> None:
    tweet = Tweet.objects.first()
    assert tweet
    client_of("moderator").post(PATH, {"action": "withdraw", "reason": "The author asked.", "_selected_action": [tweet.pk]})
    assert ModerationEvent.objects.get().reason == "The author asked."


def test_categories_are_only_looked_at_here(category) -> None:
    client = client_of("moderator")
    path = f"/admin/pool/category/{category.pk}/change/"
    assert client.get(path).status_code == 200
    assert client.post(path, {"name": "Diggers", "language": "en", "active": "on"}).status_code == 403
    category.refresh_from_db()
    assert category.name == "Gardeners"
