"""Drawing tweets in constant time, however big the pool is."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from game.play.rules import Draw, Random, plan_draws
from game.pool.models import Category

# Draws that hit a tweet already drawn for the same round are tried again so often.
_ATTEMPTS = 8


class NotEnoughTweets(Exception):
    """The category has too few approved tweets of one kind to fill a round."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The ids of the tweets of a round, in order; `repeats` where the player has seen some of them."""

    tweet_ids: Sequence[int]
    repeats: bool


# Two index scans for each draw: from the key upwards, and round from the bottom where nothing is
# left above it. Both stop at the first row.
_DRAW = """
    SELECT draw.place, tweet.id
      FROM unnest(%(kinds)s::text[], %(keys)s::float8[]) WITH ORDINALITY AS draw (kind, key, place)
     CROSS JOIN LATERAL (
       (SELECT t.id FROM pool_tweet t WHERE {matches} AND t.draw_key >= draw.key ORDER BY t.draw_key LIMIT 1)
       UNION ALL
       (SELECT t.id FROM pool_tweet t WHERE {matches} AND t.draw_key < draw.key ORDER BY t.draw_key LIMIT 1)
       LIMIT 1
     ) AS tweet
"""
_MATCHES = """t.category_id = %(category)s AND t.kind = draw.kind AND t.status = 'approved' AND t.split = 'play'
    AND t.id <> ALL(%(taken)s)"""
_UNSEEN = " AND NOT EXISTS (SELECT FROM play_card c WHERE c.player_id = %(player)s AND c.tweet_id = t.id)"
_DRAW_UNSEEN = _DRAW.format(matches=_MATCHES + _UNSEEN)
_DRAW_ANY = _DRAW.format(matches=_MATCHES)


def draw_tweets(*, category: Category, player_id: uuid.UUID | None, count: int, rng: Random, taken: Sequence[int] = ()) -> Drawn:
    """Draw `count` different tweets, each human or machine by a fair coin, none of them in `taken`.

    Tweets that the player was dealt before are drawn only when too few others are left; without a player nobody was. Raises
    NotEnoughTweets where even those don't suffice.
    """
    draws = plan_draws(count=count, rng=rng)
    drawn: dict[int, int] = {}
    if player_id:
        _fill(drawn, draws, _DRAW_UNSEEN, category, player_id, taken, rng)
    repeats = player_id is not None and len(drawn) < count
    if len(drawn) < count:
        _fill(drawn, draws, _DRAW_ANY, category, player_id, taken, rng)
    if len(drawn) < count:
        raise NotEnoughTweets(f"{category.slug} has too few approved tweets for a round.")
    return Drawn([drawn[place] for place in range(count)], repeats)


def _fill(
    drawn: dict[int, int],
    draws: Sequence[Draw],
    query: str,
    category: Category,
    player_id: uuid.UUID | None,
    taken: Sequence[int],
    rng: Random,
) -> None:
    """Fill the places of `draws` that `drawn` lacks; leave those for which the query finds nothing."""
    for attempt in range(_ATTEMPTS):
        missing = [place for place in range(len(draws)) if place not in drawn]
        if not missing:
            return
        parameters: dict[str, Any] = {
            "kinds": [draws[place].kind for place in missing],
            # The coin stays; only where to look is drawn anew.
            "keys": [draws[place].key if attempt == 0 else rng.random() for place in missing],
            "category": category.pk,
            "player": player_id,
            "taken": [*taken, *drawn.values()],
        }
        with connection.cursor() as cursor:
            cursor.execute(query, parameters)
            rows = cursor.fetchall()
        if not rows:
            return
        for place, tweet_id in rows:
            if tweet_id not in drawn.values():
                drawn[missing[place - 1]] = tweet_id


_MARK_DEALT = """
    UPDATE pool_tweet SET first_dealt_at = coalesce(first_dealt_at, %s), draw_key = random()
     WHERE id IN (SELECT id FROM pool_tweet WHERE id = ANY(%s) FOR UPDATE SKIP LOCKED)
"""


def mark_dealt(*, tweet_ids: Sequence[int], now: datetime) -> None:
    """Note the first dealing, and draw a new key.

    A draw takes the tweet above a random point, so one behind a wide gap comes more often; new
    keys move the gaps about, and in the long run every tweet comes equally often. A row that
    another round is just marking is left to it, so no round ever waits for another.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MARK_DEALT, (now, list(tweet_ids)))
