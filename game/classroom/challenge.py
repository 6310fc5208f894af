"""Challenges: anybody who has played a round dares others with its cards."""

import random
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from game.accounts.models import Player
from game.classroom import rules
from game.classroom.models import Answer, ClassCard, ClassSession, Seat
from game.classroom.seats import JoinRefused, join_class
from game.classroom.services import create_session
from game.play.models import Card, Round
from game.pool.models import Status

KEEP_DAYS = 30


class NothingLeft(Exception):
    """All tweets of the round have left the game."""


@transaction.atomic
def make_challenge(*, round_: Round, now: datetime, rng: random.Random) -> tuple[ClassSession, Seat]:
    """Return the challenge with the cards of a finished round, and its player's seat, on which the guesses made there count.

    The same round makes one challenge, however often it is asked for. Raises NothingLeft.
    """
    # Pressed twice: the second waits for what the first makes.
    player = Player.objects.select_for_update().get(pk=round_.player_id)
    dealt = list(round_.cards.select_related("guess", "tweet"))
    if known := _find_challenge(player, dealt):
        return known, known.seats.order_by("pk")[0]
    left = [card for card in dealt if card.tweet.status == Status.APPROVED]
    if not left:
        raise NothingLeft
    # In another order: the page of the round's result says who wrote the first card, and the second, to everybody with its link.
    rng.shuffle(left)
    session = create_session(
        teacher=None,
        player=player,
        mode=ClassSession.Mode.CHALLENGE,
        title="",
        categories=[round_.category],
        cards=0,
        card_time=None,
        speed_points=False,
        show=rules.Show.END,
        late_join=True,
        typed_names=True,
        keep_days=KEEP_DAYS,
        now=now,
        rng=rng,
    )
    ClassCard.objects.bulk_create(ClassCard(session=session, position=position, tweet=card.tweet) for position, card in enumerate(left, 1))
    seat = sit_down(session=session, player=player, now=now, rng=rng)
    _carry_over(session, seat, left)
    return session, seat


def _find_challenge(player: Player, dealt: Sequence[Card]) -> ClassSession | None:
    """Return the challenge that the player has made of these cards, or of those of them that were left."""
    others = ClassCard.objects.filter(session=OuterRef("pk")).exclude(tweet__in=[card.tweet_id for card in dealt])
    return ClassSession.objects.filter(~Exists(others), player=player, mode=ClassSession.Mode.CHALLENGE).order_by("pk").first()


def merge_challenges(*, guest: Player, player: Player) -> None:
    """Give `player` the challenges of `guest`."""
    ClassSession.objects.filter(player=guest).update(player=player)


def _carry_over(session: ClassSession, seat: Seat, dealt: Sequence[Card]) -> None:
    guesses = {card.tweet_id: card.guess for card in dealt}
    answers = []
    for card in session.cards.exclude(tweet=None):
        assert card.tweet_id
        guess = guesses[card.tweet_id]
        points = rules.points(right=guess.right, elapsed=None, given=None, speed=False)
        answers.append(
            Answer(card=card, seat=seat, verdict=guess.verdict, right=guess.right, elapsed=guess.elapsed, points=points, at=guess.at)
        )
    Answer.objects.bulk_create(answers)


def sit_down(*, session: ClassSession, player: Player | None, now: datetime, rng: random.Random) -> Seat:
    """Give somebody a seat in a challenge, under their own name where that may be shown to all and nobody has it; raises JoinRefused."""
    if player and session.typed_names:
        try:
            return join_class(session=session, name=player.name, now=now, rng=rng)
        except JoinRefused as refused:
            if refused.code not in ("bad-name", "name-taken"):
                raise
    return join_class(session=session, name="", now=now, rng=rng)
