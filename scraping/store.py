"""A page of posts into the database: raw posts, tweets, and how far their feed is, together or not at all."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from psycopg.types.json import Json

from game.pool.models import Kind, Status
from game.pool.services import NewTweet, add_tweets, find_tweets, get_author
from scraping.models import Feed, RawPost, ScrapeRun, Visit
from scraping.optouts import read_opt_outs
from scraping.rules import CLEANING_VERSION, Cleaning, Drop, Post, clean
from scraping.sources.base import Page


def to_record(post: Post) -> dict[str, Any]:
    """Return what is kept of a post before cleaning, as JSON can hold it."""
    record = {name: getattr(post, name) for name in _FIELDS}
    return record | {"posted_at": post.posted_at and post.posted_at.isoformat()}


def read_record(record: Mapping[str, Any]) -> Post:
    """Return the post that `to_record` kept."""
    posted_at = record["posted_at"]
    return Post(**{**record, "posted_at": datetime.fromisoformat(posted_at) if posted_at else None})


def cleaning_of(feed: Feed) -> Cleaning:
    """Return how the posts of a feed are cleaned."""
    return Cleaning(language=feed.category.language, trailing_links=settings.IMPORT_TRAILING_LINKS)  # type: ignore[arg-type]


# `asdict` copies every value, which takes longer than cleaning does.
_FIELDS = tuple(field.name for field in fields(Post))
# What PostgreSQL's JSON can't hold: NUL, and halves of characters that some page was cut between.
_UNTOLD = re.compile("[\x00\ud800-\udfff]")
_INSERT_RAW = """
    INSERT INTO scraping_rawpost (feed_id, source_id, in_pass, posted_at, record, outcome, cleaning, tweet_id)
    SELECT %s, source_id, %s, posted_at, record, outcome, %s, tweet_id
      FROM json_to_recordset(%s) AS new (source_id text, posted_at timestamptz, record jsonb, outcome text, tweet_id bigint)
"""


class OptedOut(Exception):
    """Whose posts these are does not want to be in the game."""


@transaction.atomic
def store_page(*, feed: Feed, visit: Visit, page: Page, ended: bool, account_id: str, note: str = "") -> bool:
    """Store a page of a feed's posts, and that the pass goes on behind it, or is over; change `feed` and `visit` likewise.

    `ended` says that the source has no more, `note` what else ends the pass. It ends too with a page that holds a post of
    an earlier pass, whose elders are known. Return whether it is over.
    Raises OptedOut, with nothing stored.
    """
    if read_opt_outs().holds(feed.platform, feed.handle, account_id):
        raise OptedOut
    known = dict(_known(feed, page.posts))
    news = {post.facts["source_id"]: _tidy(post) for post in page.posts if post.facts["source_id"] not in known}
    kept, dropped = _insert(feed, news)
    over = ended or any(in_pass < feed.passes for in_pass in known.values())
    _advance(feed, "" if over else page.cursor, ended=over, note=note)
    visit.pages += 1
    visit.posts += len(page.posts)
    visit.new += len(news)
    visit.kept += kept
    visit.dropped = dict(Counter(visit.dropped) + dropped)
    visit.save(update_fields=["pages", "posts", "new", "kept", "dropped"])
    if page.cost:
        spend(visit.run_id, page.cost)
    return over


def spend(run_id: int, dollars: float) -> None:
    """Write down what a request cost."""
    ScrapeRun.objects.filter(pk=run_id).update(spent=F("spent") + Decimal(str(dollars)))


def _known(feed: Feed, posts: Sequence[Post]) -> Iterable[tuple[str, int]]:
    ids = [post.facts["source_id"] for post in posts]
    return RawPost.objects.filter(feed=feed, source_id__in=ids).values_list("source_id", "in_pass")


def _insert(feed: Feed, news: Mapping[str, Post]) -> tuple[int, Counter[str]]:
    """Clean new posts and store them and their tweets; return how many were kept, and how many dropped by reason."""
    if not news:
        return 0, Counter()
    cleaning = cleaning_of(feed)
    texts = {source_id: clean(post, cleaning) for source_id, post in news.items()}
    fit = {source_id: text for source_id, text in texts.items() if not isinstance(text, Drop)}
    # One, unless somebody changed their handle between two pages.
    names = {(post.platform, post.handle.casefold()): post.name or post.handle for post in (news[source_id] for source_id in fit)}
    authors = {key: get_author(kind=Kind.HUMAN, platform=key[0], handle=key[1], name=name) for key, name in names.items()}
    tweets = [
        NewTweet(author=authors[post.platform, post.handle.casefold()], text=text, posted_at=post.posted_at, facts=post.facts)
        for post, text in ((news[source_id], text) for source_id, text in fit.items())
    ]
    added = dict(zip(fit, add_tweets(category=feed.category, tweets=tweets, status=Status.PENDING), strict=True))
    repeated = [source_id for source_id, pk in added.items() if pk is None]
    # A repeat is withdrawn with the tweet that it repeats, should it be the one that its author takes back.
    there = find_tweets(category=feed.category, texts=[fit[source_id] for source_id in repeated]) if repeated else []
    ids = added | dict(zip(repeated, there, strict=True))
    outcomes = {
        source_id: text.name if isinstance(text, Drop) else RawPost.KEPT if added[source_id] is not None else Drop.DUPLICATE.name
        for source_id, text in texts.items()
    }
    rows = [
        {
            "source_id": source_id,
            "posted_at": post.posted_at and post.posted_at.isoformat(),
            "record": to_record(post) if settings.SCRAPE_KEEP_RAW else None,
            "outcome": outcomes[source_id],
            "tweet_id": ids.get(source_id),
        }
        for source_id, post in news.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_RAW, (feed.pk, feed.passes, CLEANING_VERSION, Json(rows)))  # type: ignore[arg-type]
    counts = Counter(outcomes.values())
    return counts.pop(RawPost.KEPT, 0), counts


def _tidy(post: Post) -> Post:
    """Return a post without characters that no database takes."""
    broken: dict[str, Any] = {
        name: _UNTOLD.sub("\ufffd", value) for name in _FIELDS if isinstance(value := getattr(post, name), str) and _UNTOLD.search(value)
    }
    return replace(post, **broken) if broken else post


def _advance(feed: Feed, cursor: str, *, ended: bool, note: str) -> None:
    feed.cursor, feed.passing = cursor, not ended
    feed.passes += ended
    feed.note = note
    Feed.objects.filter(pk=feed.pk).update(cursor=cursor, passing=feed.passing, passes=feed.passes, note=note, visited_at=Now())
