"""The cards of a class: drawn when it is made, and others for those whose tweets leave the game."""

import random
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from game.classroom.models import ClassCard, ClassSession
from game.play.drawing import NotEnoughTweets, draw_tweets, mark_dealt
from game.play.rules import new_token
from game.pool.models import Category


def deal_cards(*, session: ClassSession, categories: Sequence[Category], count: int, now: datetime, rng: random.Random) -> None:
    """Deal `count` cards, as many of each of `categories` as of every other, give or take one, in random order.

    Each is human or machine by a coin of its own, whatever its category. Raises NotEnoughTweets.
    """
    shares = [categories[place % len(categories)] for place in range(rng.randrange(len(categories)), count + len(categories))][:count]
    drawn = {}
    for category in categories:
        ids = draw_tweets(category=category, player_id=None, count=shares.count(category), rng=rng).tweet_ids
        drawn[category.pk] = iter(ids)
    rng.shuffle(shares)
    cards = [
        ClassCard(session=session, position=position, tweet_id=next(drawn[category.pk])) for position, category in enumerate(shares, 1)
    ]
    ClassCard.objects.bulk_create(cards)
    mark_dealt(tweet_ids=[card.tweet_id for card in cards if card.tweet_id], now=now)


@transaction.atomic
def replace_tweet(*, card: ClassCard, now: datetime, rng: random.Random) -> ClassCard | None:
    """Return `card` as it may be shown: with another tweet, and another token, if its own has left the game.

    None where there is no other, or somebody has answered it: it is left out then, and counts for nobody.
    """
    # Of two who turn it at once, at their own pace, the second must find what the first has made of it.
    card = ClassCard.objects.select_related("tweet__category", "text").select_for_update(of=("self",)).get(pk=card.pk)
    if card.skipped or not card.withdrawn:
        return None if card.skipped else card
    tweet_id = None if card.answers.exists() else _draw_another(card, rng)
    if tweet_id is None:
        card.skipped = True
        card.save(update_fields=["skipped"])
        return None
    card.tweet_id = tweet_id
    # Whoever still has the old text on the table must not answer the new one.
    card.token = new_token()
    card.save(update_fields=["tweet", "token"])
    mark_dealt(tweet_ids=[tweet_id], now=now)
    return card


def _draw_another(card: ClassCard, rng: random.Random) -> int | None:
    """Return a tweet that the class does not hold: of the same category, if it has one left."""
    assert card.tweet
    own = card.tweet.category
    others = list(card.session.categories.exclude(pk=own.pk))
    rng.shuffle(others)
    taken = list(card.session.cards.exclude(tweet=None).values_list("tweet_id", flat=True))
    for category in (own, *others):
        try:
            return draw_tweets(category=category, player_id=None, count=1, rng=rng, taken=taken).tweet_ids[0]
        except NotEnoughTweets:
            continue
    return None
