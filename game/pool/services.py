"""Transactions on the pool."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Count, Q

from game.pool import rules
from game.pool.models import Author, BannedText, BulkAction, Category, Kind, NearMarks, Split, Status, Tweet, TweetFlag
from game.pool.near import NEAR, jaccard, letter_runs, near_marks
from game.pool.signals import tweets_erased


@dataclass(frozen=True, slots=True)
class NewTweet:
    """A cleaned tweet on its way into the pool."""

    author: Author
    text: str
    posted_at: datetime | None = None
    facts: dict[str, Any] = field(default_factory=dict)


# By fingerprint, so that two imports of the same tweets wait for each other instead of locking each other out.
_INSERT = """
    INSERT INTO pool_tweet (category_id, author_id, kind, text, fingerprint, status, split, posted_at, facts)
    SELECT %s, author_id, kind, text, fingerprint, %s, split, posted_at, facts
      FROM ROWS FROM (json_to_recordset(%s::json) AS (author_id bigint, kind text, text text, fingerprint bytea, split text,
                                                posted_at timestamptz, facts jsonb)) WITH ORDINALITY
           AS new (author_id, kind, text, fingerprint, split, posted_at, facts, place)
     WHERE NOT EXISTS (SELECT FROM pool_bannedtext banned WHERE banned.fingerprint = new.fingerprint)
     ORDER BY fingerprint, place
    ON CONFLICT (category_id, fingerprint) DO NOTHING
    RETURNING fingerprint, id
"""


# Of the lock that keeps bans and the adding of tweets apart: "ban" in ASCII.
_BAN_LOCK = 0x62616E


def add_tweets(*, category: Category, tweets: Sequence[NewTweet], status: str) -> list[int | None]:
    """Add `tweets` to the pool, and return the id of each that was new there, None for the others.

    The one way in for human and machine tweets alike. A tweet whose fingerprint the category
    already holds, or that comes twice in `tweets`, is not added again: the first one stays. What was
    taken down anywhere is not added at all.
    """
    if not tweets:
        return []
    marks = [rules.fingerprint(tweet.text) for tweet in tweets]
    # One value: arrays, a column each, take four times as long to write down.
    rows = [
        {
            "author_id": tweet.author.pk,
            "kind": tweet.author.kind,
            "text": tweet.text,
            "fingerprint": f"\\x{mark.hex()}",
            "split": _split(tweet.author.kind, mark),
            "posted_at": tweet.posted_at and tweet.posted_at.isoformat(),
            "facts": tweet.facts,
        }
        for tweet, mark in zip(tweets, marks, strict=True)
    ]
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        # In a statement of its own: only the next one sees what was banned while we waited.
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_BAN_LOCK])
        cursor.execute(_INSERT, (category.pk, status, json.dumps(rows)))
        added = {bytes(mark): pk for mark, pk in cursor.fetchall()}
    return [added.pop(mark, None) for mark in marks]


def find_tweets(*, category: Category, texts: Sequence[str]) -> list[int | None]:
    """Return, for each of `texts`, the id of the category's tweet with the same fingerprint; None where there is none."""
    marks = [rules.fingerprint(text) for text in texts]
    rows = Tweet.objects.filter(category=category, fingerprint__in=set(marks)).values_list("fingerprint", "pk") if marks else []
    ids = {bytes(mark): pk for mark, pk in rows}
    return [ids.get(mark) for mark in marks]


# Tweets that are looked at in one go.
_LOOKED_AT = 5_000


def mark_tweets(*, category: Category, after: int = 0, tell: Callable[[], None] = lambda: None) -> int:
    """Mark the tweets of `category` that have no marks yet, so that `find_near` sees them; return the greatest id among all of them.

    Looks only at those with a greater id than `after`; tells after every 5,000 that it goes on.
    """
    tweets = Tweet.objects.filter(category=category).exclude(text="").order_by("pk")
    many = False
    while ids := list(tweets.filter(pk__gt=after).values_list("pk", flat=True)[:_LOOKED_AT]):
        # Not by a join: while the marks are few, its plan takes hours for what comes after.
        marked = set(NearMarks.objects.filter(tweet__gt=after, tweet__lte=ids[-1]).values_list("tweet", flat=True))
        new = [pk for pk in ids if pk not in marked]
        rows = Tweet.objects.filter(pk__in=new).exclude(text="").values_list("pk", "text")
        mark_texts(texts=dict(rows))
        many |= len(new) == _LOOKED_AT
        after = ids[-1]
        tell()
    if many:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE pool_nearmarks")
    return after


def mark_texts(*, texts: Mapping[int, str]) -> None:
    """Mark some tweets, whose ids and texts these are, unless they are marked."""
    NearMarks.objects.bulk_create([NearMarks(tweet_id=pk, bands=near_marks(text)) for pk, text in texts.items()], ignore_conflicts=True)
    # Erased in the meantime: adding their marks waited for it.
    NearMarks.objects.filter(tweet__in=list(texts), tweet__text="").delete()


@dataclass(frozen=True, slots=True)
class Near:
    """A tweet that a text is a near-copy of, and how alike they are: from game.pool.near.NEAR to 1."""

    tweet: int
    text: str
    similarity: float


# One look into the index for each text: asked for the marks of all at once, it compares every one with every one.
_MAYBE_NEAR = """
    SELECT wanted.place, marks.tweet_id
      FROM ROWS FROM (json_to_recordset(%s::json) AS (place integer, bands integer[])) AS wanted
     CROSS JOIN LATERAL (SELECT tweet_id FROM pool_nearmarks WHERE bands && wanted.bands) AS marks
"""


def find_near(*, category: Category, texts: Sequence[str], older_than: Sequence[int] | None = None) -> list[Near | None]:
    """Return, for each of `texts`, the tweet of the category that it is nearest to; None where it is a near-copy of none.

    Among the tweets that `mark_tweets` marked. A tweet is found for its own text, too; `older_than`, an id for each text, asks for
    tweets with lesser ids only.
    """
    found: list[Near | None] = [None] * len(texts)
    if not texts:
        return found
    wanted = [{"place": place, "bands": near_marks(text)} for place, text in enumerate(texts)]
    with connection.cursor() as cursor:
        cursor.execute(_MAYBE_NEAR, (json.dumps(wanted),))
        pairs = [(place, pk) for place, pk in cursor.fetchall() if older_than is None or pk < older_than[place]]
    others = dict(Tweet.objects.filter(category=category, pk__in={pk for _, pk in pairs}).exclude(text="").values_list("pk", "text"))
    theirs = {pk: letter_runs(text) for pk, text in others.items()}
    ours = [letter_runs(text) for text in texts]
    for place, pk in pairs:
        if pk in others:
            likeness, best = jaccard(ours[place], theirs[pk]), found[place]
            if likeness >= NEAR and (best is None or likeness > best.similarity):
                found[place] = Near(pk, others[pk], likeness)
    return found


def _split(kind: str, mark: bytes) -> str:
    # No model learns from machine tweets, so all of them are for play.
    return Split.TRAIN if kind == Kind.HUMAN and rules.is_for_training(mark) else Split.PLAY


class OtherKind(Exception):
    """An author that exists, but is human where a machine was meant or the other way round."""


def get_author(*, kind: str, platform: str, handle: str, name: str = "") -> Author:
    """Return the author, creating it on first sight; raise OtherKind rather than change what it is."""
    author, _ = Author.objects.get_or_create(platform=platform, handle=handle, defaults={"kind": kind, "name": name})
    if author.kind != kind:
        raise OtherKind(f"{author} is {author.kind}, not {kind}")
    return author


def count_ready(*, categories: Iterable[Category], authors: Iterable[int] | None = None) -> dict[int, dict[str, int]]:
    """Return, per category id and kind, how many approved tweets for play nobody was dealt yet; by anybody, or by these author ids."""
    ready = {category.pk: dict.fromkeys(Kind.values, 0) for category in categories}
    tweets = Tweet.objects.filter(category__in=ready, status=Status.APPROVED, split=Split.PLAY, first_dealt_at=None)
    if authors is not None:
        tweets = tweets.filter(author__in=authors)
    rows = tweets.values_list("category", "kind").annotate(Count("id"))
    for category_id, kind, count in rows:
        ready[category_id][kind] = count
    return ready


# In one order, so that two of these wait for each other instead of locking each other out.
_MODERATE = """
    WITH changing AS ({changing}), logged AS (
        INSERT INTO pool_moderationevent (tweet_id, by_id, before, after, reason, bulk_id)
        SELECT id, %s, status, %s, %s, %s FROM changing
    )
    UPDATE pool_tweet SET status = %s FROM changing WHERE pool_tweet.id = changing.id
"""


@transaction.atomic
def moderate_tweets(*, tweets: Q, by: User | None, after: str, reason: str = "", bulk: BulkAction | None = None) -> int:
    """Give every tweet that matches `tweets` the status `after`, with one event each; return how many changed.

    `by` is None where a rule decides. A tweet whose text was erased stays as it is. One statement, however many they are.
    """
    locked = Tweet.objects.filter(tweets).exclude(status=after).exclude(text="").select_for_update(of=("self",), no_key=True)
    try:
        sql, parameters = locked.order_by("pk").only("pk", "status").query.sql_with_params()
    except EmptyResultSet:
        return 0
    by_id, bulk_id = by.pk if by else None, bulk.pk if bulk else None
    with connection.cursor() as cursor:
        cursor.execute(_MODERATE.format(changing=sql), [*parameters, by_id, after, reason, bulk_id, after])
        return int(cursor.rowcount)


# What was changed since, and be it back and forth, stays; so does what was undone by itself and decided anew.
_STANDING = """
    SELECT tweet.id, event.id AS event_id, event.before, event.after
      FROM pool_moderationevent event JOIN pool_tweet tweet ON tweet.id = event.tweet_id
     WHERE event.bulk_id = %s AND tweet.status = event.after AND tweet.text <> ''
       AND NOT EXISTS (SELECT FROM pool_moderationevent later WHERE later.tweet_id = tweet.id AND later.id > event.id)
     ORDER BY tweet.id FOR NO KEY UPDATE OF tweet
"""
_UNDO = f"""
    WITH changing AS ({_STANDING}), logged AS (
        INSERT INTO pool_moderationevent (tweet_id, by_id, before, after, reason, bulk_id, undoes_id)
        SELECT id, %s, after, before, %s, %s, event_id FROM changing
    )
    UPDATE pool_tweet SET status = changing.before FROM changing WHERE pool_tweet.id = changing.id
"""  # noqa: S608 (all of it stands here)


@transaction.atomic
def undo_bulk_action(*, action: BulkAction, by: User, reason: str = "") -> int:
    """Put every tweet that `action` changed back to what it was, unless somebody has changed it since; return how many.

    That is a bulk action too, by `by`.
    """
    undoing = BulkAction.objects.create(by=by, filters=action.filters, reason=reason, undoes=action)
    with connection.cursor() as cursor:
        # First only to lock: then the second look sees what those did whom we waited for.
        cursor.execute(f"SELECT count(*) FROM ({_STANDING}) AS standing", [action.pk])  # noqa: S608 (as above)
        cursor.execute(_UNDO, [action.pk, by.pk, reason, undoing.pk])
        return int(cursor.rowcount)


@transaction.atomic
def erase_tweets(*, tweets: Q, by: User | None, reason: str) -> int:
    """Withdraw every tweet that matches `tweets` for good: its words and facts are gone, its fingerprint keeps it from coming back.

    Return how many were erased. Whoever kept anything made of the words hears of it by the signal `tweets_erased`.
    """
    erasing = list(Tweet.objects.select_for_update().filter(tweets).exclude(text=""))
    ids = [tweet.pk for tweet in erasing]
    moderate_tweets(tweets=Q(pk__in=ids), by=by, after=Status.WITHDRAWN, reason=reason)
    NearMarks.objects.filter(tweet__in=ids).delete()
    # They quote it.
    TweetFlag.objects.filter(tweet__in=ids).delete()
    if erasing:
        tweets_erased.send(sender=Tweet, tweets=erasing)
    return Tweet.objects.filter(pk__in=ids).update(text="", facts={})


def lock_bans() -> None:
    """Let nothing be added to the pool until the transaction ends, and what is just being added be there first.

    To be called before anything else is locked: whoever adds may hold what we want next.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_BAN_LOCK])


def ban_texts(*, tweets: Iterable[Tweet], note: str) -> None:
    """Keep the words of these tweets out of every category for good; in the transaction that called `lock_bans`."""
    marks = {bytes(tweet.fingerprint) for tweet in tweets}
    BannedText.objects.bulk_create([BannedText(fingerprint=mark, note=note) for mark in sorted(marks)], ignore_conflicts=True)


def find_copies(*, tweets: Iterable[Tweet]) -> Q:
    """Return the condition on Tweet for these tweets and all with the same words, in whatever category."""
    # By the index of both columns.
    categories = list(Category.objects.values_list("pk", flat=True))
    return Q(category__in=categories, fingerprint__in={bytes(tweet.fingerprint) for tweet in tweets})
