"""Transactions on what was kept and is gone at its source, or was kept long enough."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Now

from game.pool.models import Category, Kind, Status, Tweet
from game.pool.services import erase_tweets, moderate_tweets
from scraping.models import Feed, OptOut, RawPost
from scraping.optouts import forget_posts, opt_out
from scraping.retention import CHECKERS, TERMS
from scraping.rules import CLEANING_VERSION, PLATFORMS

DELETED = "deleted at the source"
SUSPENDED = "account suspended at the source"


def with_content() -> Q:
    """Return what matches the raw posts that we still hold words of, their own or a tweet's."""
    return ~Q(outcome=RawPost.GONE) & (Q(outcome=RawPost.KEPT) | Q(record__isnull=False))


@transaction.atomic
def erase_gone(*, platform: str, source_ids: Collection[str], reason: str = DELETED) -> int:
    """Erase these posts in every category, and what was said of them; return how many tweets that were."""
    posts = RawPost.objects.filter(feed__source__in=_sources(platform), source_id__in=source_ids).exclude(outcome=RawPost.GONE)
    # Which is no more than a repetition of another post's words says nothing of that one, unless it is the same one twice.
    own = Q(outcome=RawPost.KEPT) | Q(id_of_tweet=F("source_id"))
    tweets = list(
        posts.annotate(id_of_tweet=KeyTextTransform("source_id", "tweet__facts"))
        .filter(own)
        .exclude(tweet=None)
        .values_list("tweet", flat=True)
    )
    erased = erase_tweets(tweets=Q(pk__in=tweets), by=None, reason=reason)
    forget_posts(posts)
    return erased


@transaction.atomic
def withdraw_suspended(*, feed: Feed) -> int:
    """Take the tweets of a suspended account out of play; a moderator may put them back. Return how many."""
    posts = RawPost.objects.filter(feed=feed).filter(with_content())
    tweets = list(posts.filter(outcome=RawPost.KEPT).exclude(tweet=None).values_list("tweet", flat=True))
    withdrawn = moderate_tweets(tweets=Q(pk__in=tweets), by=None, after=Status.WITHDRAWN, reason=SUSPENDED)
    posts.update(checked_at=Now())
    return withdrawn


def imported_tweets(*, category: Category, platform: str) -> QuerySet[Tweet]:
    """Return the tweets whose post at the source is known, and stands in no table of posts: they came from files."""
    tweets = Tweet.objects.filter(category=category, kind=Kind.HUMAN, author__platform=platform, facts__has_key="source_id")
    return tweets.exclude(text="").exclude(raw_posts__outcome=RawPost.KEPT)


def count_checked(*, category: Category, checker: str) -> tuple[int, int]:
    """Return how many accounts, and how many posts, a check of a category asks this source about."""
    platform = PLATFORMS[checker]
    feeds = Feed.objects.filter(category=category, source=checker).exclude(account_id="")
    posts = RawPost.objects.filter(with_content(), feed__category=category, feed__source__in=_sources(platform))
    accounts = feeds.filter(pk__in=posts.values("feed")).count()
    return accounts, posts.count() + imported_tweets(category=category, platform=platform).count()


@transaction.atomic
def adopt_imports(*, category: Category, platform: str) -> int:
    """Give tweets that came from files a raw post without words each, so that they are checked like scraped ones; return how many.

    Their feeds are on no list: nothing is fetched of them.
    """
    orphans = imported_tweets(category=category, platform=platform)
    source = CHECKERS[platform]
    handles = orphans.values_list("author__handle", flat=True).distinct()
    Feed.objects.bulk_create(
        (Feed(category=category, source=source, handle=handle, listed=False) for handle in handles), ignore_conflicts=True
    )
    sql, params = orphans.values_list("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO scraping_rawpost (feed_id, source_id, in_pass, posted_at, outcome, cleaning, tweet_id, fetched_at, checked_at)
            SELECT feed.id, tweet.facts ->> 'source_id', 0, tweet.posted_at, %s, %s, tweet.id, tweet.created_at, tweet.created_at
              FROM pool_tweet tweet
              JOIN pool_author author ON author.id = tweet.author_id
              JOIN scraping_feed feed ON feed.category_id = tweet.category_id AND feed.source = %s AND feed.handle = author.handle
             WHERE tweet.id IN ({sql}) AND length(tweet.facts ->> 'source_id') <= 200
            ON CONFLICT (feed_id, source_id) DO NOTHING
            """,  # noqa: S608 - the inner query is Django's, its values are parameters
            [RawPost.KEPT, CLEANING_VERSION, source, *params],
        )
        return cursor.rowcount


def prune_raw(*, category: Category, now: datetime) -> int:
    """Drop what sources said of posts that were kept long enough, or at all where raw posts are not; return of how many."""
    pruned = 0
    for platform, terms in TERMS.items():
        posts = RawPost.objects.filter(feed__category=category, feed__source__in=_sources(platform), record__isnull=False)
        if settings.SCRAPE_KEEP_RAW:
            posts = posts.filter(fetched_at__lt=now - timedelta(days=terms.raw_days))
        pruned += posts.update(record=None)
    return pruned


def complete_opt_outs(*, category: Category) -> int:
    """Erase what is left of those who opted out, should an opt-out have been interrupted; return how many tweets."""
    left = Tweet.objects.filter(category=category, kind=Kind.HUMAN).exclude(text="")
    erased = 0
    for out in OptOut.objects.all():
        if left.filter(author__platform=out.platform, author__handle=out.handle).exists():
            erased += opt_out(platform=out.platform, handle=out.handle, by=out.by, reason=out.reason, account_id=out.account_id)
    return erased


def _sources(platform: str) -> list[str]:
    return [source for source, its in PLATFORMS.items() if its == platform]
