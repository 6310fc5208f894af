"""What is noticed about tweets without a person, and what a category makes of it by itself.

Every tweet is looked through once, soon after it came: by the clock, or when a moderator is given it before that. Doing it
again finds the same, and changes nothing.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import F, Max, Q
from django.db.models.functions import Now

from game.moderation.models import TweetWords
from game.moderation.rules import EASY_GUESSES, is_too_easy, rule
from game.moderation.search import CONFIG
from game.play.models import Tally
from game.pool.models import Category, Kind, ModerationEvent, Split, Tweet, TweetFlag
from game.pool.personal import personal_data
from game.pool.services import find_near, mark_texts, moderate_tweets
from game.pool.unsafe import unsafe_words
from generation.backends.base import UnusableModelError
from generation.folders import read_knowledge
from generation.models import ModelVersion
from generation.rules import HashedSet, copied_words

logger = logging.getLogger(__name__)
Flag = TweetFlag.Flag
# What players find out, when a person may have decided long ago.
_FOUND_LATER = (Flag.EASY, Flag.REPORTED)
# A whole pool is gone through in as many steps as it has tallies, over and over.
_TALLIES = 5_000
_EASY_KEY = "moderation:easy"


def flag_new_tweets(*, limit: int) -> int:
    """Look through up to `limit` tweets that nobody has looked through, the oldest of each category first; return how many."""
    # By the index of those alone.
    unchecked = Tweet.objects.filter(checked_at=None).order_by("category", "pk")
    return look_through(unchecked.values_list("pk", flat=True)[:limit])


def look_through(ids: Iterable[int]) -> int:
    """Look through those of the tweets with these ids that nobody has looked through; return how many."""
    tweets = list(
        Tweet.objects.filter(pk__in=list(ids), checked_at=None).select_related("category", "author__model_version").order_by("pk")
    )
    # Without a lock so far: it may take a second, and somebody may be deciding on one of them.
    found = _find_flags([tweet for tweet in tweets if tweet.text])
    with transaction.atomic():
        held = Tweet.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=[tweet.pk for tweet in tweets], checked_at=None)
        tweets = list(held.select_related("category").order_by("pk"))
        alive = {tweet.pk for tweet in tweets if tweet.text}
        TweetFlag.objects.bulk_create((flag for flag in found if flag.tweet_id in alive), ignore_conflicts=True)
        _index_words(alive)
        _apply_rules([tweet for tweet in tweets if tweet.pk in alive])
        Tweet.objects.filter(pk__in=[tweet.pk for tweet in tweets]).update(checked_at=Now())
    return len(tweets)


def look_again(*, category: Category) -> int:
    """Have the clock look through the pending tweets of a category again: its rules have changed. Return how many wait for it."""
    return Tweet.objects.filter(category=category, status="pending").update(checked_at=None)


def _index_words(ids: Iterable[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            # Without hyphens, as the search asks for them.
            "INSERT INTO moderation_tweetwords (tweet_id, words)"
            " SELECT id, to_tsvector(%s, replace(text, '-', ' ')) FROM pool_tweet WHERE id = ANY(%s) ON CONFLICT (tweet_id) DO NOTHING",
            [CONFIG, list(ids)],
        )


def forget_words(*, tweets: Iterable[Tweet], **_signal: Any) -> None:
    """Have nobody find tweets by words that are erased."""
    TweetWords.objects.filter(tweet__in=[tweet.pk for tweet in tweets]).delete()


def _find_flags(tweets: Sequence[Tweet]) -> list[TweetFlag]:
    flags = []
    for tweet in tweets:
        if words := unsafe_words(tweet.text):
            flags.append(TweetFlag(tweet=tweet, flag=Flag.UNSAFE, detail=", ".join(words)[:200]))
        if kind := personal_data(tweet.text):
            flags.append(TweetFlag(tweet=tweet, flag=Flag.PERSONAL, detail=kind))
    return [*flags, *_find_copied(tweets), *_find_near(tweets)]


def _find_near(tweets: Sequence[Tweet]) -> Iterable[TweetFlag]:
    """Compare each tweet with all older ones of its category: of two that are alike, one has the flag."""
    mark_texts(texts={tweet.pk: tweet.text for tweet in tweets})
    by_category = defaultdict(list)
    for tweet in tweets:
        by_category[tweet.category].append(tweet)
    for category, its in by_category.items():
        found = find_near(category=category, texts=[tweet.text for tweet in its], older_than=[tweet.pk for tweet in its])
        for tweet, near in zip(its, found, strict=True):
            if near:
                yield TweetFlag(tweet=tweet, flag=Flag.NEAR, other_id=near.tweet, detail=f"{near.similarity:.0%} alike")


def _find_copied(tweets: Sequence[Tweet]) -> Iterable[TweetFlag]:
    """Find those that have eight words in a row from a corpus: the writing model's, or for people who are played that of the category's."""
    active = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE, category__in={tweet.category_id for tweet in tweets})
    folders = {model.category_id: model.folder for model in active}
    for tweet in tweets:
        if tweet.split == Split.TRAIN:
            continue
        own = getattr(tweet.author, "model_version", None)
        folder = own.folder if own else folders.get(tweet.category_id)
        runs = _read_runs(folder) if folder else None
        if runs and (words := copied_words(tweet.text, runs)):
            yield TweetFlag(tweet=tweet, flag=Flag.COPIED, detail=words[:200])


@lru_cache(maxsize=8)
def _read_runs(folder: Path) -> HashedSet | None:
    """Read which runs of words a model's corpus holds; None if its folder is gone. It never changes."""
    try:
        return read_knowledge(folder).runs
    except UnusableModelError as error:
        logger.warning("Nothing is compared with the corpus of a model: %s", error)
        return None


def _apply_rules(tweets: Sequence[Tweet]) -> None:
    """Do with these tweets what their categories do by themselves."""
    ids = [tweet.pk for tweet in tweets]
    decided: dict[int, datetime] = dict(
        ModerationEvent.objects.filter(tweet__in=ids, by__isnull=False).values_list("tweet").annotate(Max("at"))
    )
    unseen: dict[int, list[str]] = defaultdict(list)
    for flag in TweetFlag.objects.filter(tweet__in=ids).order_by("pk"):
        seen_at = decided.get(flag.tweet_id)
        if seen_at is None or (flag.flag in _FOUND_LATER and flag.at > seen_at):
            unseen[flag.tweet_id].append(flag.flag)
    changes = defaultdict(list)
    for tweet in tweets:
        ruling = rule(
            status=tweet.status,
            flags=unseen[tweet.pk],
            rejects=tweet.category.rejects,
            # What goes on from a visitor's words is for people to decide.
            approves=tweet.kind == Kind.MACHINE and tweet.category.approves_clean and not tweet.facts.get("prompt"),
            decided=tweet.pk in decided,
        )
        if ruling:
            changes[ruling].append(tweet.pk)
    for ruling, changed in changes.items():
        moderate_tweets(tweets=Q(pk__in=changed), by=None, after=ruling.after, reason=ruling.reason)


def flag_easy_tweets() -> int:
    """Go on through what players said, flag tweets that nearly all see through, and have their categories' rules look again.

    Return how many were flagged.
    """
    after = cache.get(_EASY_KEY, 0)
    tallies = Tally.objects.filter(tweet__gt=after).order_by("tweet").annotate(guesses=F("said_human") + F("said_machine"))
    rows = list(tallies.values_list("tweet", "tweet__kind", "said_human", "said_machine")[:_TALLIES])
    cache.set(_EASY_KEY, rows[-1][0] if len(rows) == _TALLIES else 0, None)
    easy = {}
    for pk, kind, said_human, said_machine in rows:
        right, guesses = said_human if kind == Kind.HUMAN else said_machine, said_human + said_machine
        if guesses >= EASY_GUESSES and is_too_easy(right=right, guesses=guesses):
            easy[pk] = f"{right} of {guesses} were right"
    new = easy.keys() - set(TweetFlag.objects.filter(flag=Flag.EASY, tweet__in=easy).values_list("tweet", flat=True))
    with transaction.atomic():
        TweetFlag.objects.bulk_create(
            (TweetFlag(tweet_id=pk, flag=Flag.EASY, detail=easy[pk]) for pk in sorted(new)), ignore_conflicts=True
        )
        return Tweet.objects.filter(pk__in=new).update(checked_at=None)
