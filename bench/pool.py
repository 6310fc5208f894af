"""Pools of made-up tweets, written in SQL: a million of them by the application would take an hour."""

import uuid
from collections.abc import Mapping

import psycopg

# Categories by the number of their tweets, all of which can be drawn.
SIZES = {"pool-1k": 1_000, "pool-10k": 10_000, "pool-1m": 1_000_000}
# A big category in which people are rare.
LOPSIDED, LOPSIDED_SIZE, LOPSIDED_HUMANS = "pool-lopsided", 200_000, 1_000
# Tweets that the veteran has been dealt, in each category that holds so many more.
SEEN = 500

_WORDS = "rain lamp walked under the old bridge green tea never slept again kite seven paper boats sang to a quiet harbour"
_TWEETS = """
    INSERT INTO pool_tweet (category_id, author_id, kind, text, fingerprint, status, split, posted_at, facts)
    SELECT category.id, author.id, author.kind,
           (SELECT string_agg((string_to_array(%(words)s, ' '))[1 + n * word * 7919 / 13 %% 21], ' ')
              FROM generate_series(1, 8 + n %% 17) AS word) || ' ' || n,
           decode(md5(category.slug || n), 'hex'), 'approved', 'play', timestamptz '2016-03-01' + n * interval '1 second',
           CASE author.kind WHEN 'human' THEN '{"likes": 12, "shares": 3}' ELSE '{"temperature": 0.9, "topk": 200}' END::jsonb
      FROM generate_series(1::bigint, %(size)s) AS n
      JOIN pool_category category ON category.slug = %(slug)s
      JOIN pool_author author ON author.kind = CASE WHEN n %% %(size)s < %(humans)s THEN 'human' ELSE 'machine' END
"""
_DEAL = """
    WITH round AS (
        INSERT INTO play_round (token, player_id, category_id, repeats, finished_at)
        SELECT 'seen-' || slug, %(player)s, id, false, now() FROM pool_category WHERE slug = %(slug)s RETURNING id, category_id
    )
    INSERT INTO play_card (token, round_id, player_id, tweet_id, position)
    SELECT 'seen-' || tweet.id, round.id, %(player)s, tweet.id, row_number() OVER ()
      FROM round CROSS JOIN LATERAL (SELECT id FROM pool_tweet WHERE category_id = round.category_id ORDER BY random() LIMIT %(seen)s) tweet
"""


def fill_pool(connection: psycopg.Connection, sizes: Mapping[str, int] = SIZES | {LOPSIDED: LOPSIDED_SIZE}) -> None:
    """Fill an empty, migrated database with categories of these sizes, half of each human but for the lopsided one."""
    # No foreign key to look up a million times: the rows come from the tables that they refer to.
    connection.execute("SET session_replication_role = replica")
    connection.execute(
        "INSERT INTO pool_author (kind, platform, handle, name)"
        " VALUES ('human', 'twitter', 'bench', 'Bench'), ('machine', 'model', 'bench-1', '')"
    )
    for slug, size in sizes.items():
        connection.execute(
            "INSERT INTO pool_category (slug, name, description, language, active) VALUES (%s, %s, '', 'en', true)", [slug, slug]
        )
        connection.execute(
            _TWEETS, {"slug": slug, "words": _WORDS, "size": size, "humans": LOPSIDED_HUMANS if slug == LOPSIDED else size // 2}
        )
    connection.execute("RESET session_replication_role")
    connection.execute("VACUUM ANALYZE pool_tweet")


def add_veteran(connection: psycopg.Connection) -> uuid.UUID:
    """Add a player who has been dealt SEEN tweets in each category with more than twice as many, and return their id."""
    player = uuid.uuid4()
    connection.execute("INSERT INTO accounts_player (id, name) VALUES (%s, 'Veteran')", [player])
    for slug in (slug for slug, size in {**SIZES, LOPSIDED: LOPSIDED_SIZE}.items() if size > 2 * SEEN):
        connection.execute(_DEAL, {"player": player, "slug": slug, "seen": SEEN})
    connection.execute("VACUUM ANALYZE play_card")
    return player
