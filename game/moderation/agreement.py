"""Where two people decide on one tweet: how far they agree, and what they disagree on."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import connection

from game.moderation import queue
from game.moderation.queue import Decision
from game.moderation.rules import Kappa, cohen_kappa
from game.moderation.selectors import Item, read_items
from game.pool.models import Category, Stage, Status, Tweet

_PAIRS = """
    SELECT one_user.username, other_user.username, one.verdict, other.verdict, count(*)
      FROM moderation_review one
      JOIN moderation_review other ON other.tweet_id = one.tweet_id AND other.by_id > one.by_id
      JOIN pool_tweet tweet ON tweet.id = one.tweet_id
      JOIN auth_user one_user ON one_user.id = one.by_id
      JOIN auth_user other_user ON other_user.id = other.by_id
     WHERE tweet.category_id = %s AND one.verdict <> 'flag' AND other.verdict <> 'flag'
     GROUP BY 1, 2, 3, 4 ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people, how often each pair of verdicts came, and what that says."""

    one: str
    other: str
    table: dict[tuple[str, str], int]
    kappa: Kappa

    @property
    def share(self) -> float:
        """Return how often they said the same."""
        return sum(count for (one, other), count in self.table.items() if one == other) / self.kappa.n


def agreement(*, category: Category) -> list[Pair]:
    """Return every pair of people who looked at the same tweets of a category, those with most in common first."""
    tables: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, [category.pk])
        for one, other, said, said_too, count in cursor.fetchall():
            tables.setdefault((one, other), Counter())[said, said_too] = count
    pairs = [Pair(one, other, dict(table), cohen_kappa(table)) for (one, other), table in tables.items()]
    return sorted(pairs, key=lambda pair: -pair.kappa.n)


def disagreements(*, category: Category, count: int = 50, blind: bool = True) -> list[Item]:
    """Return tweets of a category on which two people disagree, with what each said, the oldest first; nothing is leased."""
    disputed = Tweet.objects.filter(category=category, status=Status.PENDING, stage=Stage.DISPUTED).order_by("pk")
    return read_items(list(disputed.values_list("pk", flat=True)[:count]), blind=blind, opinions=True)


def may_settle(*, item: Item, by: User) -> bool:
    """Say whether `by` may settle what those disagree on whose opinions `item` has: one of them only as an administrator."""
    return by.is_superuser or by.get_username() not in {opinion.by for opinion in item.opinions}


def settle(*, tweet_id: int, by: User, verdict: str, reason: str = "", now: datetime, origin_shown: bool = False) -> Decision:
    """Decide a tweet on which two people disagree: a third person, or one of the two if they are an administrator."""
    return queue.decide(
        tweet_id=tweet_id, by=by, verdict=verdict, reason=reason, now=now, origin_shown=origin_shown, settles=by.is_superuser
    )
