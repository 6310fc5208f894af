"""What the pages of the game read. Nothing here writes."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Sum
from redis.exceptions import RedisError

from game.accounts.identity import public_ref
from game.play import rules
from game.play.models import Card, Guess, Round, Standing, Tally
from game.pool.models import Category, Kind, Status, Tweet

BOARD_SIZE = 50
# The shares below the totals may lag so far behind; the ranks never do.
SHARES_SECONDS = 5


def playable_categories(categories: Sequence[Category]) -> set[int]:
    """Return the ids of those categories that can fill a round, even one whose coins all fall alike."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT category.id
              FROM unnest(%s::bigint[]) AS category (id) CROSS JOIN (VALUES ('human'), ('machine')) AS side (kind)
             WHERE (SELECT count(*) FROM (
                      SELECT FROM pool_tweet t
                       WHERE t.category_id = category.id AND t.kind = side.kind AND t.status = 'approved' AND t.split = 'play'
                       LIMIT %s) AS enough) = %s
             GROUP BY category.id
            HAVING count(*) = 2
            """,
            ([category.pk for category in categories], rules.CARDS_PER_ROUND, rules.CARDS_PER_ROUND),
        )
        return {row[0] for row in cursor.fetchall()}


def read_score(round_id: int) -> rules.Score:
    """Count the guesses of a round, and the right ones."""
    rights = list(Guess.objects.filter(card__round=round_id).values_list("right", flat=True))
    return rules.Score(right=sum(rights), guessed=len(rights))


def read_score_and_reveal(card: Card) -> tuple[rules.Score, dict[str, Any]]:
    """Return the score of the card's round, and what may be shown now that the card has a guess."""
    tweet, author = card.tweet, card.tweet.author
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*), count(*) FILTER (WHERE g."right"), max(g.verdict) FILTER (WHERE c.id = %s),
                   (SELECT said_human FROM play_tally WHERE tweet_id = %s), (SELECT said_machine FROM play_tally WHERE tweet_id = %s)
              FROM play_card c JOIN play_guess g ON g.card_id = c.id
             WHERE c.round_id = %s
            """,
            (card.pk, tweet.pk, tweet.pk, card.round_id),
        )
        guessed, right, verdict, said_human, said_machine = cursor.fetchone()
    return rules.Score(right=right, guessed=guessed), {
        "kind": author.kind,
        "verdict": verdict,
        "right": verdict == author.kind,
        "author_name": author.name,
        "handle": author.handle,
        "posted_at": tweet.posted_at,
        "facts": tweet.facts,
        "said_human": said_human,
        "said_machine": said_machine,
    }


def shown_text(tweet: Tweet) -> dict[str, Any]:
    """Return what a page may show of a tweet that was dealt: nothing once it has left the game."""
    withdrawn = tweet.status != Status.APPROVED
    return {"text": "" if withdrawn else tweet.text, "withdrawn": withdrawn}


def read_result(round_: Round) -> list[dict[str, Any]]:
    """Return the guessed cards of a round, in order, with their truth."""
    guesses = Guess.objects.filter(card__round=round_).select_related("card__tweet__author").order_by("card__position")
    return [
        {
            **shown_text(guess.card.tweet),
            "token": guess.card.token,
            "kind": guess.card.tweet.author.kind,
            "verdict": guess.verdict,
            "right": guess.right,
            "author_name": guess.card.tweet.author.name,
            "handle": guess.card.tweet.author.handle,
        }
        for guess in guesses
    ]


def read_board(category: Category | None) -> dict[str, Any]:
    """Return the leaderboard of a category, or of all: the same for whoever looks."""
    standings = Standing.objects.filter(category=category)
    rows = []
    for rank, standing in enumerate(standings.select_related("player").order_by("-strength", "-guesses", "pk")[:BOARD_SIZE], 1):
        low, high = rules.wilson_interval(standing.right, standing.guesses)
        rows.append(
            {
                "rank": rank,
                "name": standing.player.name,
                "player_ref": public_ref(standing.player_id),
                "guesses": standing.guesses,
                "right": standing.right,
                "accuracy": standing.right / standing.guesses,
                "low": low,
                "high": high,
            }
        )
    totals = standings.aggregate(guesses=Sum("guesses", default=0), players=Count("id"))
    return {"category": category, "rows": rows, "totals": {**totals, **_read_shares(category)}}


def _read_shares(category: Category | None) -> dict[str, float | None]:
    """Return how often machines were taken for people, and people for machines; None without guesses."""
    key = f"shares:{category.pk if category else 'all'}"
    try:
        if shares := cache.get(key):
            return shares
    except (RedisError, OSError):
        pass  # counted anew below
    tallies = Tally.objects.filter(tweet__category=category) if category else Tally.objects.all()
    said = {
        row["tweet__kind"]: (row["human"], row["machine"])
        for row in tallies.values("tweet__kind").annotate(human=Sum("said_human"), machine=Sum("said_machine"))
    }
    shares = {}
    for kind, name, wrong in ((Kind.MACHINE, "machine_taken_for_human", 0), (Kind.HUMAN, "human_taken_for_machine", 1)):
        counts = said.get(kind, (0, 0))
        shares[name] = counts[wrong] / sum(counts) if sum(counts) else None
    with suppress(RedisError, OSError):
        cache.set(key, shares, SHARES_SECONDS)
    return shares
