"""A category of made-up tweets that a tiny model learns well enough to write new ones."""

from game.pool.models import Category, Kind, Status
from game.pool.rules import fingerprint, is_for_training
from game.pool.services import NewTweet, add_tweets, get_author
from tests.training.conftest import SENTENCES

TRAIN = [text for text in SENTENCES if is_for_training(fingerprint(text))]
# Enough to go through every stage in seconds.
KNOBS = {"name": "tiny", "device": "cpu", "block": 64, "batch": 4, "epochs": 8, "checks": 1, "rate": 2e-2, "max_tokens": 48}
KNOBS |= {"samples": 10, "judge_samples": 600}


def add_flock(slug: str, *, active: bool = True) -> Category:
    """Make a category of these tweets."""
    category = Category.objects.create(slug=slug, name=slug.capitalize(), active=active)
    author = get_author(kind=Kind.HUMAN, platform="twitter", handle="nan")
    add_tweets(category=category, tweets=[NewTweet(author=author, text=text) for text in SENTENCES], status=Status.APPROVED)
    return category
