"""Classes that have been held: what tests of results and of deleting begin with."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from game.classroom import rules
from game.classroom.models import Answer, ClassCard, ClassSession, ClassText, Seat
from game.pool.models import Category, Kind, Tweet

WHEN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
OTHER = {Kind.HUMAN: Kind.MACHINE, Kind.MACHINE: Kind.HUMAN}


def make_session(teacher: User, category: Category, **fields: Any) -> ClassSession:
    """Return a class that is over, without anybody or anything in it."""
    fields = {
        "code": "BCDFGH",
        "phase": rules.Phase.PODIUM,
        "delete_at": WHEN + timedelta(days=30),
        "created_at": WHEN,
        "ended_at": WHEN,
        **fields,
    }
    session = ClassSession.objects.create(teacher=teacher, **fields)
    session.categories.add(category)
    return session


def seat_students(session: ClassSession, names: Sequence[str]) -> list[Seat]:
    """Seat students, in this order."""
    codes = (f"{number:06}" for number in range(len(names)))
    seats = [Seat(session=session, code=code, name=name, joined_at=WHEN) for code, name in zip(codes, names, strict=True)]
    return Seat.objects.bulk_create(seats)


def deal(session: ClassSession, category: Category, kinds: Sequence[Kind]) -> list[ClassCard]:
    """Deal tweets of these kinds, in this order, the last of which is on the table."""
    tweets = {kind: iter(Tweet.objects.filter(category=category, kind=kind, split="play").order_by("pk")) for kind in Kind}
    cards = [ClassCard(session=session, position=position, tweet=next(tweets[kind])) for position, kind in enumerate(kinds, 1)]
    ClassSession.objects.filter(pk=session.pk).update(position=len(kinds))
    session.position = len(kinds)
    return ClassCard.objects.bulk_create(cards)


def deal_text(session: ClassSession, position: int, **writer: Any) -> ClassCard:
    """Deal a text of this class, by a `seat` or a `model_version`."""
    text = ClassText.objects.create(session=session, body=f"Tonight I will write {position}.", status="approved", written_at=WHEN, **writer)
    return ClassCard.objects.create(session=session, position=position, text=text)


def answers_of(seat: Seat, cards: Sequence[ClassCard], rights: str, seconds: float = 4.0) -> list[Answer]:
    """Return, unsaved, a seat's answers to `cards`: `r` is right, `w` is wrong, `-` is none."""
    answers = []
    for card, mark in zip(cards, rights, strict=True):
        if mark != "-":
            right = mark == "r"
            verdict = Kind(card.kind) if right else OTHER[Kind(card.kind)]
            took = timedelta(seconds=seconds)
            answers.append(Answer(card=card, seat=seat, verdict=verdict, right=right, elapsed=took, points=100 * right, at=WHEN + took))
    return answers


def answer(seat: Seat, cards: Sequence[ClassCard], rights: str, seconds: float = 4.0) -> None:
    """Have a seat answer `cards` as answers_of says."""
    Answer.objects.bulk_create(answers_of(seat, cards, rights, seconds))
