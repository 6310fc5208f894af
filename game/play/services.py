"""Transactions of the game: rounds, cards, guesses."""

import json
import uuid
from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Model, QuerySet
from django.db.models.functions import Now

from game.accounts.models import Player
from game.live.services import announce
from game.play import rules
from game.play.drawing import NotEnoughTweets, draw_tweets, mark_dealt
from game.play.models import Card, Guess, OldToken, Round
from game.pool.models import Author, Category, Status, Tweet

LEADERBOARD = "leaderboard"
EVERY_CATEGORY = "all"


def start_round(*, player_id: uuid.UUID, category: Category, now: datetime, rng: rules.Random) -> Round:
    """Deal a new round, or return the one that a request beside this one has just dealt.

    Raises NotEnoughTweets.
    """
    try:
        with transaction.atomic():
            round_ = Round.objects.create(player_id=player_id, category=category, started_at=now)
            drawn = draw_tweets(category=category, player_id=player_id, count=rules.CARDS_PER_ROUND, rng=rng)
            if drawn.repeats:
                round_.repeats = True
                round_.save(update_fields=["repeats"])
            Card.objects.bulk_create(
                Card(round=round_, player_id=player_id, tweet_id=tweet_id, position=position)
                for position, tweet_id in enumerate(drawn.tweet_ids, 1)
            )
            mark_dealt(tweet_ids=drawn.tweet_ids, now=now)
    except IntegrityError:
        open_round = find_open_round(player_id=player_id, category=category)
        if open_round is None:
            raise
        return open_round
    return round_


def find_open_round(*, player_id: uuid.UUID, category: Category) -> Round | None:
    """Return the player's unfinished round in `category`, if there is one."""
    return Round.objects.select_related("category").filter(player_id=player_id, category=category, finished_at=None).first()


def show_next_card(*, round_: Round, now: datetime, rng: rules.Random) -> Card | None:
    """Return the first card of the round without a guess, and note when it was first shown; None when all have one.

    A card whose tweet has left the game since it was dealt gets another tweet, drawn like the first.
    """
    card = round_.cards.select_related("tweet").filter(guess=None).order_by("position").first()
    if card is None:
        Round.objects.filter(pk=round_.pk, finished_at=None).update(finished_at=now)
        return None
    if card.tweet.status != Status.APPROVED:
        card = _replace_tweet(card, round_, now, rng)
    if card.shown_at is None:
        Card.objects.filter(pk=card.pk, shown_at=None).update(shown_at=now)
    return card


@transaction.atomic
def _replace_tweet(card: Card, round_: Round, now: datetime, rng: rules.Random) -> Card:
    # Two tabs must not find two tweets under one token.
    card = round_.cards.select_related("tweet").select_for_update(of=("self",)).get(pk=card.pk)
    if card.tweet.status == Status.APPROVED or Guess.objects.filter(card=card).exists():
        return card
    # A tab that still shows the old text must not guess on the new one.
    OldToken.objects.create(token=card.token, card=card)
    card.token = rules.new_token()
    card.shown_at = None
    card.save(update_fields=["token", "shown_at"])
    taken = list(round_.cards.values_list("tweet_id", flat=True))
    drawn = draw_tweets(category=round_.category, player_id=round_.player_id, count=1, rng=rng, taken=taken)
    card.tweet = Tweet.objects.get(pk=drawn.tweet_ids[0])
    card.save(update_fields=["tweet"])
    mark_dealt(tweet_ids=drawn.tweet_ids, now=now)
    return card


def _open_cards(tweets: Collection[int]) -> QuerySet[Card]:
    return Card.objects.filter(tweet__in=tweets, guess=None, round__finished_at=None).order_by("pk")


def lock_open_cards(*, tweets: Collection[int]) -> None:
    """Have guesses on these tweets wait until the transaction ends; to be called before the tweets are locked, as guesses do."""
    list(_open_cards(tweets).select_for_update(of=("self",)).values_list("pk"))


def replace_open_cards(*, tweets: Collection[int], now: datetime, rng: rules.Random) -> int:
    """Put other tweets in the place of these, which have left the game, on all cards that wait for a guess; return how many.

    A guess from a page that still shows one of them does not count any more. Where the pool has nothing else to show, the
    player is told so when the card is turned.
    """
    replaced = 0
    for card in _open_cards(tweets).select_related("round__category"):
        try:
            with transaction.atomic():
                replaced += _replace_tweet(card, card.round, now, rng).token != card.token
        except NotEnoughTweets:
            with transaction.atomic():
                OldToken.objects.create(token=card.token, card=card)
                replaced += Card.objects.filter(pk=card.pk, guess=None).update(token=rules.new_token(), shown_at=None)
    return replaced


def count_open_cards(*, tweets: Collection[int]) -> int:
    """Count the cards with these tweets that wait for a guess."""
    return _open_cards(tweets).count()


def find_replaced_card(*, token: str, player_id: uuid.UUID | None) -> Card | None:
    """Return the player's card that had this token when it showed a tweet that has left the game since."""
    if player_id is None:
        return None
    return Card.objects.select_related("round__category").filter(old_tokens=token, player_id=player_id).first()


# One statement, so one round trip and one transaction: the guess, what everybody said of the
# tweet, the player's standings, the end of the round. A guess that is already there stops all
# of it, which is what makes a retry harmless; and so does a card that shows another tweet by now.
_STORE = """
    WITH stored AS (
        INSERT INTO play_guess (card_id, verdict, "right", elapsed, at)
        SELECT id, %(verdict)s, %(right)s, %(elapsed)s, %(now)s
          FROM play_card WHERE id = %(card)s AND token = %(token)s FOR KEY SHARE
        ON CONFLICT (card_id) DO NOTHING
        RETURNING "right", verdict
    ), tallied AS (
        INSERT INTO play_tally (tweet_id, said_human, said_machine)
        SELECT %(tweet)s, (verdict = 'human')::int, (verdict = 'machine')::int FROM stored
        ON CONFLICT (tweet_id) DO UPDATE
           SET said_human = play_tally.said_human + excluded.said_human,
               said_machine = play_tally.said_machine + excluded.said_machine
    ), stood AS (
        INSERT INTO play_standing (player_id, category_id, guesses, "right")
        SELECT %(player)s, category.id, 1, "right"::int
          FROM stored CROSS JOIN (VALUES (NULL::bigint), (%(category)s)) AS category (id)
        ON CONFLICT (player_id, category_id) DO UPDATE
           SET guesses = play_standing.guesses + 1, "right" = play_standing."right" + excluded."right"
    ), finished AS (
        UPDATE play_round SET finished_at = %(now)s
         WHERE id = %(round)s AND finished_at IS NULL AND %(last)s AND EXISTS (SELECT FROM stored)
    )
    SELECT count(*) FROM stored
"""


def submit_guess(*, card: Card, verdict: str, now: datetime) -> bool:
    """Store the verdict on `card` unless it has one, and say whether this one was stored.

    `card` comes with its round's category and its tweet's author. Announces the leaderboards
    that changed.
    """
    category = card.round.category
    parameters: dict[str, Any] = {
        "card": card.pk,
        "token": card.token,
        "verdict": verdict,
        "right": card.tweet.author.kind == verdict,
        "elapsed": now - (card.shown_at or now),
        "now": now,
        "tweet": card.tweet_id,
        "player": card.player_id,
        "category": category.pk,
        "round": card.round_id,
        "last": card.position == rules.CARDS_PER_ROUND,
    }
    with connection.cursor() as cursor:
        cursor.execute(_STORE, parameters)
        stored = bool(cursor.fetchone()[0])
    if stored:
        # Inside a transaction the news would come before the fact.
        transaction.on_commit(lambda: announce(topic=LEADERBOARD, keys=(EVERY_CATEGORY, category.slug)))
    return stored


def announce_boards_of(*, player: Player) -> None:
    """Tell the leaderboards that `player` may be on that they changed."""
    slugs = player.standings.exclude(category=None).values_list("category__slug", flat=True)
    transaction.on_commit(lambda: announce(topic=LEADERBOARD, keys=(EVERY_CATEGORY, *slugs)))


@transaction.atomic
def merge_players(*, guest: Player, player: Player) -> None:
    """Give `player` the rounds, cards and standings of `guest`."""
    open_here = Round.objects.filter(player=player, finished_at=None).values("category")
    # One open round per category: the guest's gives way, its guesses stay.
    Round.objects.filter(player=guest, finished_at=None, category__in=open_here).update(finished_at=Now())
    Round.objects.filter(player=guest).update(player=player)
    Card.objects.filter(player=guest).update(player=player)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO play_standing (player_id, category_id, guesses, "right")
            SELECT %s, category_id, guesses, "right" FROM play_standing WHERE player_id = %s
            ON CONFLICT (player_id, category_id) DO UPDATE
               SET guesses = play_standing.guesses + excluded.guesses, "right" = play_standing."right" + excluded."right"
            """,
            (player.pk, guest.pk),
        )


# Written out, for the ORM would write it anew for every guess, and take longer over that than
# PostgreSQL over the whole guess.
_FOUND = (Card, Round, Category, Tweet, Author)
_FIND = f"""
    SELECT {", ".join(f"{model._meta.db_table}.{field.column}" for model in _FOUND for field in model._meta.concrete_fields)}
      FROM play_card
      JOIN play_round ON play_round.id = play_card.round_id
      JOIN pool_category ON pool_category.id = play_round.category_id
      JOIN pool_tweet ON pool_tweet.id = play_card.tweet_id
      JOIN pool_author ON pool_author.id = pool_tweet.author_id
     WHERE play_card.token = %s AND play_card.player_id = %s
"""  # noqa: S608 (all names are the models' own)


def find_card(*, token: str, player_id: uuid.UUID | None) -> Card | None:
    """Return the player's card with this token, with its tweet, author and category; None where it isn't theirs."""
    with connection.cursor() as cursor:
        cursor.execute(_FIND, (token, player_id))
        row = cursor.fetchone()
    if row is None:
        return None
    values = iter(row)
    card, round_, category, tweet, author = (_load(model, values) for model in _FOUND)
    tweet.facts, tweet.author = json.loads(tweet.facts), author
    round_.category = category
    card.round, card.tweet = round_, tweet
    return card  # type: ignore[no-any-return]


def _load(model: type[Model], values: Iterator[Any]) -> Any:
    fields = [field.attname for field in model._meta.concrete_fields]
    return model.from_db(connection.alias, fields, list(islice(values, len(fields))))
