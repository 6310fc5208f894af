"""What players report after they have seen the truth; three of them take a tweet out of play until a person looks."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max, Q

from game.accounts.models import Player
from game.moderation.models import TweetReport
from game.play.models import Card, Standing
from game.pool.models import ModerationEvent, Status, Tweet, TweetFlag
from game.pool.services import moderate_tweets

REASONS = {
    "cruel": "Cruel or unsafe",
    "private": "Tells something private about somebody",
    "spam": "Advertisement or spam",
    "broken": "Broken, or no tweet at all",
    "other": "Something else",
}
# So many players' reports take a tweet out of play.
ENOUGH = 3
# Of players with fewer guesses reports are kept and shown, and don't count: a guest costs nothing, a round takes a minute.
GUESSES = 10


@transaction.atomic
def report_tweet(*, card: Card, reason: str, now: datetime) -> bool:
    """Note that the player of `card`, who has guessed on it, finds its tweet unfit; say whether that was new.

    When the third player's report since a person last decided on it comes, the tweet goes back to the queue with a flag.
    """
    tweet = Tweet.objects.select_for_update(no_key=True).get(pk=card.tweet_id)
    _, new = TweetReport.objects.get_or_create(tweet=tweet, player_id=card.player_id, defaults={"reason": reason})
    if not new or not tweet.text:
        return new
    looked_at = ModerationEvent.objects.filter(tweet=tweet, by__isnull=False).aggregate(last=Max("at"))["last"]
    if looked_at:
        TweetReport.objects.filter(tweet=tweet, at__lte=looked_at).update(settled=True)
    experienced = Standing.objects.filter(category=None, guesses__gte=GUESSES).values("player")
    counted = TweetReport.objects.filter(tweet=tweet, settled=False, player__in=experienced)
    if counted.count() >= ENOUGH:
        _call_back(tweet, counted.count(), sorted(set(counted.values_list("reason", flat=True))), now)
    return new


def _call_back(tweet: Tweet, players: int, reasons: list[str], now: datetime) -> None:
    detail = f"{players} players: {', '.join(reasons)}"
    TweetFlag.objects.update_or_create(tweet=tweet, flag=TweetFlag.Flag.REPORTED, defaults={"detail": detail[:200], "at": now})
    if tweet.status != Status.APPROVED:
        return
    moderate_tweets(tweets=Q(pk=tweet.pk), by=None, after=Status.PENDING, reason=f"reported by {players} players")
    # Its category may reject what is reported.
    Tweet.objects.filter(pk=tweet.pk).update(checked_at=None)


def move_reports(*, guest: Player, player: Player, **_signal: Any) -> None:
    """Let the reports of a guest be those of the player whom they signed in as; one each stays."""
    TweetReport.objects.filter(player=guest).exclude(tweet__in=TweetReport.objects.filter(player=player).values("tweet")).update(
        player=player
    )
