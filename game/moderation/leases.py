"""Who has which tweet before them: for minutes, and nobody else meanwhile."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from game.moderation.models import Lease, Review
from game.pool.models import Stage, Tweet

# A page that is open renews its leases; one that is closed lets go of them after that.
LEASE = timedelta(minutes=3)

# A lease that somebody else holds stays theirs, even one that was committed after we had looked: the conflict tells.
_UPSERT = """
    ON CONFLICT (tweet_id) DO UPDATE SET by_id = excluded.by_id, until = excluded.until
     WHERE moderation_lease.until <= %s OR moderation_lease.by_id = excluded.by_id
    RETURNING tweet_id
"""
# One statement. Tweets that another moderator is just being given, or is deciding, are skipped.
_LEASE_SOME = """
    WITH candidate (place, id) AS ({candidates}), chosen AS (
        SELECT place, id FROM candidate ORDER BY place, id LIMIT %s
    ), leased AS (
        INSERT INTO moderation_lease (tweet_id, by_id, until) SELECT id, %s, %s FROM chosen ORDER BY id {upsert}
    )
    SELECT id, leased.tweet_id IS NOT NULL FROM chosen LEFT JOIN leased ON leased.tweet_id = id ORDER BY place, id
"""
_LEASE_ONE = "INSERT INTO moderation_lease (tweet_id, by_id, until) VALUES (%s, %s, %s)" + _UPSERT  # noqa: S608 (all of it stands here)
_TRIES = 5
_Ids: TypeAlias = "QuerySet[Tweet, Any]"


def lease_tweets(*, pending: QuerySet[Tweet], by: User, count: int, now: datetime, disputed: bool = False) -> list[int]:
    """Lease up to `count` of `pending` to `by`, and return their ids: first those that `by` has already, then the oldest.

    Of `pending` that is what nobody else has, and what `by` has not looked at; on which two people disagree, or not, as
    `disputed` says. It joins no table. However many are pending, it takes as long.
    """
    for _ in range(_TRIES):
        with transaction.atomic(), connection.cursor() as cursor:
            sides = _sides(pending, by, now, disputed)
            selects = [(place, *side[:count].query.sql_with_params()) for place, side in sides]
            candidates = " UNION ALL ".join(f"(SELECT {place}, side.* FROM ({sql}) AS side)" for place, sql, _ in selects)  # noqa: S608 (the ORM's)
            parameters = [value for *_, values in selects for value in values]
            cursor.execute(_LEASE_SOME.format(candidates=candidates, upsert=_UPSERT), [*parameters, count, by.pk, now + LEASE, now])
            rows = cursor.fetchall()
        # Some that we chose went to somebody else: there may be others yet.
        if all(ours for _, ours in rows):
            break
    return [pk for pk, ours in rows if ours]


def _sides(pending: QuerySet[Tweet], by: User, now: datetime, disputed: bool) -> list[tuple[int, _Ids]]:
    """Return where to look, each with its place in the order."""
    locked = pending.select_for_update(skip_locked=True, no_key=True).values("pk")
    ids: _Ids = locked.filter(stage=Stage.DISPUTED) if disputed else locked.exclude(stage=Stage.DISPUTED)
    live = Lease.objects.filter(until__gt=now)
    free = ids.exclude(Exists(live.filter(tweet=OuterRef("pk"))))
    unseen = free.exclude(Exists(Review.objects.filter(tweet=OuterRef("pk"), by=by)))
    if disputed:
        # An administrator may settle what nobody else is there to settle.
        sides = [(1, (free if by.is_superuser else unseen).order_by("looked_by_id", "pk"))]
    else:
        fresh = free.filter(stage=Stage.FRESH, looked_by=None)
        # As two ranges of the index: what `by` was the last to look at is not even stepped over.
        second = unseen.filter(stage=Stage.SECOND)
        others = (second.filter(looked_by__lt=by.pk), second.filter(looked_by__gt=by.pk))
        sides = [(1, side.order_by("looked_by_id", "pk")) for side in (fresh, *others)]
    # Looked up beforehand: else the database may look for these few among all.
    if held := list(live.filter(by=by).values_list("tweet_id", flat=True)):
        sides.append((0, ids.filter(pk__in=held).order_by("pk")))
    return sides


def lease_one(*, tweet_id: int, by: User, now: datetime) -> bool:
    """Lease a tweet to `by`, and say whether it is theirs: somebody else may have it."""
    with connection.cursor() as cursor:
        cursor.execute(_LEASE_ONE, [tweet_id, by.pk, now + LEASE, now])
        return cursor.fetchone() is not None


def find_holder(*, tweet_id: int, besides: User, now: datetime) -> Lease | None:
    """Return the lease of somebody else that holds now, if there is one."""
    return Lease.objects.filter(tweet=tweet_id, until__gt=now).exclude(by=besides).select_related("by").first()


def keep_leases(*, by: User, tweet_ids: Iterable[int], now: datetime) -> set[int]:
    """Renew the leases of `by` on these tweets, run out or not; return which of them are still theirs."""
    mine = Lease.objects.filter(by=by, tweet__in=list(tweet_ids))
    mine.update(until=now + LEASE)
    return set(mine.values_list("tweet_id", flat=True))


def release_leases(*, by: User, tweet_ids: Iterable[int] | None = None) -> int:
    """Let others have what lies before `by`, or these tweets of it; return how many."""
    mine = Lease.objects.filter(by=by)
    if tweet_ids is not None:
        mine = mine.filter(tweet__in=list(tweet_ids))
    return mine.delete()[0]


def drop_old_leases(*, now: datetime) -> int:
    """Forget leases that ran out long ago."""
    return Lease.objects.filter(until__lt=now - 20 * LEASE).delete()[0]
