from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from game.moderation import leases, queue
from game.moderation.models import Lease
from game.moderation.search import Filters
from game.pool.models import Category, Kind, ModerationEvent, Status, Tweet
from game.pool.services import NewTweet, add_tweets, get_author
from tests.game.moderation.moderators import LATER, NOON, decide, moderator, take
from tests.threads import at_once

Waiting = Callable[..., list[Tweet]]


def ids(tweets: list[Tweet]) -> list[int]:
    """Return the ids, in the order in which the tweets came: among those added at once that of their fingerprints."""
    return sorted(tweet.pk for tweet in tweets)


def test_tweets_come_oldest_first_and_to_nobody_twice(owls: Category, waiting: Waiting) -> None:
    tweets = ids(waiting(count=8))
    assert take("ann", owls) == tweets[:3]
    assert take("bob", owls) == tweets[3:6]
    # A page that asks again gets what lies before it, and then more.
    assert take("ann", owls) == tweets[:3]
    assert take("ann", owls, count=9) == [*tweets[:3], *tweets[6:]]
    assert take("cem", owls) == []


def test_whoever_leaves_frees_theirs_within_minutes(owls: Category, waiting: Waiting) -> None:
    tweets = ids(waiting(count=2))
    take("ann", owls)
    assert timedelta(minutes=1) <= leases.LEASE <= timedelta(minutes=5)
    assert take("bob", owls, now=NOON + leases.LEASE - timedelta(seconds=1)) == []
    assert take("bob", owls, now=NOON + leases.LEASE) == tweets
    # Gone for long, and back: what is somebody else's now stays theirs.
    assert leases.keep_leases(by=moderator("ann"), tweet_ids=tweets, now=LATER) == set()


def test_an_open_page_keeps_its_own(owls: Category, waiting: Waiting) -> None:
    first, second = ids(waiting(count=2))
    take("ann", owls)
    assert leases.keep_leases(by=moderator("ann"), tweet_ids=[first], now=LATER) == {first}
    assert take("bob", owls, now=LATER) == [second]


def test_what_is_given_back_is_free_at_once(owls: Category, waiting: Waiting) -> None:
    tweets = ids(waiting(count=4))
    take("ann", owls)
    assert leases.release_leases(by=moderator("bob")) == 0
    assert leases.release_leases(by=moderator("ann"), tweet_ids=tweets[:1]) == 1
    assert take("bob", owls, count=1) == tweets[:1]
    assert leases.release_leases(by=moderator("ann")) == 2
    assert take("bob", owls, count=9) == tweets


def test_the_clock_forgets_old_leases(owls: Category, waiting: Waiting) -> None:
    waiting(count=2)
    take("ann", owls, count=2)
    take("bob", owls, count=1, now=NOON + timedelta(hours=1))
    assert leases.drop_old_leases(now=NOON + timedelta(hours=2)) == 1
    assert Lease.objects.get().by == moderator("bob")


def test_another_category_and_what_is_decided_are_not_offered(owls: Category, waiting: Waiting) -> None:
    approved, rejected, left = waiting(count=3)
    Tweet.objects.filter(pk=approved.pk).update(status=Status.APPROVED)
    Tweet.objects.filter(pk=rejected.pk).update(status=Status.REJECTED)
    assert take("ann", owls) == [left.pk]
    assert take("ann", Category.objects.create(slug="geese", name="Geese")) == []


def test_filters_narrow_what_is_offered(owls: Category, waiting: Waiting) -> None:
    human, machine = waiting("An owl wrote a letter.")[0], waiting("A barn burnt down last night.", kind=Kind.MACHINE)[0]
    assert take("ann", owls, filters=Filters(origin="machine")) == [machine.pk]
    # What lies before Ann from another page does not show under these filters.
    assert take("ann", owls, filters=Filters(words="letter")) == [human.pk]
    assert take("bob", owls, filters=Filters(words="letter")) == []


@pytest.mark.django_db(transaction=True)
def test_moderators_at_once_are_never_given_the_same_tweet() -> None:
    owls = Category.objects.create(slug="owls", name="Owls", approves_clean=False)
    ada = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada")
    add_tweets(category=owls, tweets=[NewTweet(ada, f"owl {number}") for number in range(120)], status=Status.PENDING)
    Tweet.objects.update(checked_at=timezone.now())
    names = ["ann", "bob", "cem", "dot"]
    people = [moderator(name) for name in names]

    def work(place: int) -> list[int]:
        done = []
        while items := queue.take(by=people[place], category=owls, count=4, now=NOON):
            for item in items:
                assert queue.decide(tweet_id=item.tweet_id, by=people[place], verdict="approve", now=NOON).outcome == "decided"
                done.append(item.tweet_id)
        return done

    done = at_once(len(people), work)
    assert Counter(pk for each in done for pk in each) == Counter(Tweet.objects.values_list("pk", flat=True))
    # One that is skipped because somebody just looks at it is offered again, or theirs: none is left.
    assert ModerationEvent.objects.count() == 120
    assert not Tweet.objects.exclude(status=Status.APPROVED).exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_begin_at_once_both_get_as_much_as_there_is() -> None:
    owls = Category.objects.create(slug="owls", name="Owls", approves_clean=False)
    ada = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada")
    add_tweets(category=owls, tweets=[NewTweet(ada, f"owl {number}") for number in range(100)], status=Status.PENDING)
    Tweet.objects.update(checked_at=timezone.now())
    people = [moderator("ann"), moderator("bob")]

    def begin(place: int) -> list[int]:
        return [item.tweet_id for item in queue.take(by=people[place], category=owls, count=10, now=NOON)]

    for _ in range(10):
        Lease.objects.all().delete()
        ours, theirs = at_once(2, begin)
        assert (len(ours), len(theirs), len({*ours, *theirs})) == (10, 10, 20)


def pages_read(pending: QuerySet[Tweet], name: str) -> int:
    """Count the pages of the database that leasing ten tweets touches."""
    read = []

    def explain(execute, sql, params, many, context):
        if sql.lstrip().startswith("WITH candidate"):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
                plan = cursor.fetchone()[0][0]["Plan"]
            read.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
        return execute(sql, params, many, context)

    with transaction.atomic(), connection.execute_wrapper(explain):
        assert len(leases.lease_tweets(pending=pending, by=moderator(name), count=10, now=NOON)) == 10
        transaction.set_rollback(True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE moderation_lease")
    return max(read)


_MANY = """
    INSERT INTO pool_tweet (category_id, author_id, kind, text, fingerprint, status, split, facts, checked_at)
    SELECT {category}, {author}, 'human', 'owl ' || n, decode(md5(n::text), 'hex'), 'pending', 'play', '{{}}', now()
      FROM generate_series({first}, {last}) AS n
"""
_LOOKED = """
    WITH looked AS (
        UPDATE pool_tweet SET stage = 'second', looked_by_id = {by}
         WHERE id IN (SELECT id FROM pool_tweet WHERE stage = 'fresh' ORDER BY id LIMIT {count}) RETURNING id
    ), logged AS (
        INSERT INTO pool_moderationevent (tweet_id, by_id, before, after, reason)
        SELECT id, {by}, 'pending', 'pending', '' FROM looked RETURNING id, tweet_id
    )
    INSERT INTO moderation_review (tweet_id, by_id, verdict, reason, event_id) SELECT tweet_id, {by}, 'approve', '', id FROM logged
"""


@pytest.mark.django_db(transaction=True)
def test_a_hundred_thousand_pending_take_no_longer_than_a_thousand() -> None:
    """Count pages, not milliseconds; also for somebody who has looked at 20,000 that wait for another person."""
    owls = Category.objects.create(slug="owls", name="Owls")
    ada = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada")
    pending = Tweet.objects.filter(category=owls, status=Status.PENDING)
    counts = []
    # Its own look at the table keeps what is vacuumed here from being cleared away.
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE pool_tweet SET (autovacuum_enabled = off)")
    steps = (
        _MANY.format(category=owls.pk, author=ada.pk, first=1, last=1_000),
        _MANY.format(category=owls.pk, author=ada.pk, first=1_001, last=100_000),
        _LOOKED.format(by=moderator("ann").pk, count=20_000),
        _LOOKED.format(by=moderator("bob").pk, count=10_000),
    )
    for step in steps:
        with connection.cursor() as cursor:
            cursor.execute(step)
            cursor.execute("VACUUM ANALYZE pool_tweet, moderation_review")
        counts.append(pages_read(pending, "ann"))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE pool_tweet RESET (autovacuum_enabled)")
    few, many, after_her_looks, with_bobs = counts
    assert many <= 1.3 * few
    assert after_her_looks <= 1.3 * few
    # Ten more tweets to choose from, each looked up among her reviews.
    assert with_bobs <= 1.3 * few + 10 * 10


def test_who_has_looked_is_not_asked_again(owls: Category, waiting: Waiting) -> None:
    tweets = ids(waiting(count=3))
    decide("ann", Tweet.objects.get(pk=tweets[0]), "flag")
    assert take("ann", owls) == tweets[1:]
    leases.release_leases(by=moderator("ann"))
    assert take("bob", owls) == tweets
