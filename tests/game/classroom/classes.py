"""Classes that are being held: what tests of services begin with."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from game.classroom import pace
from game.classroom.answers import GivenAnswer, Outcome, store_answers
from game.classroom.models import ClassCard, ClassSession, Seat
from game.classroom.rules import Action
from game.classroom.seats import join_class
from game.classroom.services import act, create_session
from game.pool.models import Category, Tweet

CARD_TIME = timedelta(seconds=20)


def hold_class(categories: Sequence[Category], *, now: datetime, cards: int = 4, seed: int = 1, **chosen: Any) -> ClassSession:
    """Return a class in its lobby."""
    teacher, _ = User.objects.get_or_create(username="teacher")
    fields: dict[str, Any] = {
        "teacher": teacher,
        "mode": "live",
        "title": "8b",
        "card_time": CARD_TIME,
        "speed_points": False,
        "show": "each",
        "late_join": True,
        "typed_names": False,
        "keep_days": 30,
        **chosen,
    }
    return create_session(categories=categories, cards=cards, now=now, rng=random.Random(seed), **fields)


def seat(session: ClassSession, count: int, *, now: datetime) -> list[Seat]:
    """Seat students."""
    return [join_class(session=session, name="", now=now, rng=random.Random(number)) for number in range(count)]


def press(session: ClassSession, *actions: str, now: datetime) -> ClassSession:
    """Do what must be legal, one after another."""
    for action in actions:
        moved = act(session_id=session.pk, action=Action(action), version=session.version, now=now)
        assert moved is not None, f"{action} was refused in {session.phase}"
        session = moved
    return session


def on_table(session: ClassSession) -> ClassCard:
    """Return the card on the table."""
    return session.cards.get(position=session.position)


def withdraw(card: ClassCard, status: str = "withdrawn") -> None:
    """Have the tweet of a card leave the game."""
    assert card.tweet_id
    Tweet.objects.filter(pk=card.tweet_id).update(status=status)


def say(session: ClassSession, *said: tuple[Seat, str], now: datetime, card: ClassCard | None = None) -> list[Outcome]:
    """Have seats answer the card on the table, or another one, in one batch."""
    token = (card or on_table(session)).token
    return store_answers(session_id=session.pk, answers=[GivenAnswer(seat.token, token, verdict, now) for seat, verdict in said])


def play(student: Seat, *verdicts: str, now: datetime) -> list[str]:
    """Answer, at one's own pace, one card after the other, each a second after it was shown; return what became of each."""
    became = []
    for verdict in verdicts:
        card = pace.show_card(seat_id=student.pk, now=now).card
        assert card
        became.append(pace.answer_card(seat_id=student.pk, token=card.token, verdict=verdict, now=now + timedelta(seconds=1)))
    return became
