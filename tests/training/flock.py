"""Made-up tweets that a tiny model learns well enough to write new ones: eight words each, so that a new one is no copy."""

import itertools
from random import Random

from game.pool.models import Category, Kind, Status
from game.pool.rules import fingerprint, is_for_training
from game.pool.services import NewTweet, add_tweets, get_author

_ALL = [
    f"{which} {when} the {bird} sings {how} by {place}."
    for which, when, bird, how, place in itertools.product(
        ("Every", "One", "This"),
        ("night", "noon", "spring"),
        ("wren", "heron", "robin", "owl"),
        ("softly", "loudly", "badly"),
        ("mill", "pond", "gate"),
    )
]
FLOCK = Random(1).sample(_ALL, 150)
TRAIN = [text for text in FLOCK if is_for_training(fingerprint(text))]
# Enough to go through every stage in seconds.
KNOBS = {"name": "tiny", "device": "cpu", "block": 64, "batch": 4, "epochs": 8, "checks": 1, "rate": 2e-2, "max_tokens": 48}
KNOBS |= {"samples": 25, "judge_samples": 60}


def add_flock(slug: str, *, active: bool = True) -> Category:
    """Make a category of these tweets."""
    category = Category.objects.create(slug=slug, name=slug.capitalize(), active=active)
    author = get_author(kind=Kind.HUMAN, platform="twitter", handle="nan")
    add_tweets(category=category, tweets=[NewTweet(author=author, text=text) for text in FLOCK], status=Status.APPROVED)
    return category
