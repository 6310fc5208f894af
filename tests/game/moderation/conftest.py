"""Tweets that wait, and who decides on them."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from game.accounts.roles import MODERATOR
from game.pool.models import Category, Kind, Status, Tweet
from game.pool.services import NewTweet, add_tweets, get_author


@pytest.fixture
def owls(db: None) -> Category:
    return Category.objects.create(slug="owls", name="Owls", approves_clean=False)


@pytest.fixture
def waiting(owls: Category) -> Callable[..., list[Tweet]]:
    """Return a function that has tweets wait: these texts, or so many, by a person or by a model."""

    def add(*texts: str, count: int = 0, kind: Kind = Kind.HUMAN) -> list[Tweet]:
        platform = "twitter" if kind == Kind.HUMAN else "model"
        author = get_author(kind=kind, platform=platform, handle=f"{kind}-owl", name="Ada" if kind == Kind.HUMAN else "owls v1")
        texts = texts or tuple(f"Owl number {number} slept through the whole meeting." for number in range(count))
        ids = add_tweets(category=owls, tweets=[NewTweet(author, text, facts={"likes": 7}) for text in texts], status=Status.PENDING)
        found = Tweet.objects.in_bulk([pk for pk in ids if pk])
        return [found[pk] for pk in ids if pk]

    return add


@pytest.fixture
def sign_in(db: None) -> Callable[[str], Client]:
    """Return a function that signs in a moderator by name."""

    def enter(name: str) -> Client:
        user, _ = User.objects.get_or_create(username=name)
        user.groups.add(Group.objects.get(name=MODERATOR))
        client = Client()
        client.force_login(user)
        return client

    return enter


@pytest.fixture
def mo(sign_in: Callable[[str], Client]) -> Client:
    return sign_in("mo")


@pytest.fixture
def kim(sign_in: Callable[[str], Client]) -> Client:
    return sign_in("kim")
