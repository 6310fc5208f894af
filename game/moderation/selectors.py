"""What the moderators' pages read. Nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from game.moderation.models import Review
from game.pool.models import Tweet, TweetFlag


@dataclass(frozen=True, slots=True)
class Note:
    """A flag on a tweet, with the tweet that it is too near to, if that is what it says."""

    flag: str
    label: str
    detail: str
    other_text: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Who wrote a tweet, and what is known of it: nothing that a moderator sees unasked."""

    kind: str
    author: str
    handle: str
    platform: str
    posted_at: datetime | None
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one of those said who disagree on a tweet."""

    by: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class Item:
    """A tweet before a moderator. `origin` is there only where it was asked for, `opinions` only where two disagree."""

    tweet_id: int
    text: str
    notes: tuple[Note, ...] = ()
    origin: Origin | None = None
    opinions: tuple[Opinion, ...] = ()


def read_items(ids: Sequence[int], *, blind: bool, opinions: bool = False) -> list[Item]:
    """Return the tweets with these ids, in this order; who wrote them unless `blind`, what was said of them if `opinions`."""
    tweets = Tweet.objects.select_related("author").in_bulk(ids)
    notes: dict[int, list[Note]] = {pk: [] for pk in ids}
    for flag in TweetFlag.objects.filter(tweet__in=ids).select_related("other").order_by("pk"):
        other_text = flag.other.text if flag.other else ""
        notes[flag.tweet_id].append(Note(flag.flag, flag.get_flag_display(), flag.detail, other_text))
    said: dict[int, list[Opinion]] = {pk: [] for pk in ids}
    for review in Review.objects.filter(tweet__in=ids).select_related("by").order_by("pk") if opinions else ():
        said[review.tweet_id].append(Opinion(review.by.get_username(), review.verdict, review.reason))
    return [
        Item(
            tweet_id=pk,
            text=tweet.text,
            notes=tuple(notes[pk]),
            origin=None if blind else _origin(tweet),
            opinions=tuple(said[pk]),
        )
        for pk in ids
        if (tweet := tweets.get(pk))
    ]


def _origin(tweet: Tweet) -> Origin:
    author = tweet.author
    return Origin(tweet.kind, author.name or author.handle, author.handle, author.platform, tweet.posted_at, tweet.facts)
