"""A small pool to play with: made-up tweets of two kinds."""

from collections.abc import Callable

import pytest
from django.test import Client

from game.pool.models import Category, Kind, Status, Tweet
from game.pool.rules import fingerprint, is_for_training
from game.pool.services import NewTweet, add_tweets, get_author


def sentences(kind: str, count: int) -> list[str]:
    """Return `count` different sentences that the play split keeps."""
    kept: list[str] = []
    number = 0
    while len(kept) < count:
        text = f"The {kind} wrote down sentence number {number} and went home for tea."
        if kind == Kind.MACHINE or not is_for_training(fingerprint(text)):
            kept.append(text)
        number += 1
    return kept


@pytest.fixture
def fill(db: None) -> Callable[..., Category]:
    """Return a function that makes a category with so many playable tweets of each kind."""

    def make(slug: str = "gardeners", human: int = 60, machine: int = 60) -> Category:
        category = Category.objects.create(slug=slug, name=slug.title(), description="People who dig.")
        person = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada", name="Ada Spade")
        model = get_author(kind=Kind.MACHINE, platform="model", handle=f"tiny-{slug}/1", name="tiny")
        add_tweets(
            category=category,
            status=Status.APPROVED,
            tweets=[NewTweet(person, text, facts={"likes": 7}) for text in sentences(Kind.HUMAN, human)],
        )
        add_tweets(
            category=category,
            status=Status.APPROVED,
            tweets=[NewTweet(model, text, facts={"model": "tiny", "temperature": 1.0}) for text in sentences(Kind.MACHINE, machine)],
        )
        assert Tweet.objects.filter(category=category, split="play").count() == human + machine
        return category

    return make


@pytest.fixture
def category(fill: Callable[..., Category]) -> Category:
    """Return a category with sixty tweets of each kind."""
    return fill()


@pytest.fixture
def ada() -> Client:
    """Return the browser of one player."""
    return Client()


@pytest.fixture
def mallory() -> Client:
    """Return the browser of somebody else, who must be refused what is Ada's."""
    return Client()
