"""Answers of a class, however many at once, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import connection, transaction

from game.classroom import rules
from game.classroom.models import Answer, ClassCard, ClassSession, Seat
from game.classroom.services import TEACHER, announce_class, move_on_if_answered, move_on_if_due


class Code(StrEnum):
    """What became of an answer."""

    KEPT = "kept"  # stored now
    KNOWN = "known"  # this seat had answered: its first verdict stands
    LATE = "late"
    WRONG_CARD = "wrong-card"  # not the one on the table
    NOT_YOURS = "not-yours"  # whoever wrote a text does not guess it
    NO_SEAT = "no-seat"  # or one that was sent out


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """A verdict ("human" or "machine") on a card, from a seat; `at` is when the server received it."""

    seat_token: str
    card_token: str
    verdict: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an answer, and the verdict that counts; None where none does."""

    code: Code
    verdict: str | None = None


# Nobody moves the class on, or sends somebody out, between what is checked under this lock and what is stored.
_LOCK = "SELECT * FROM classroom_classsession WHERE id = %s FOR SHARE"
_STORE = """
    INSERT INTO classroom_answer (card_id, seat_id, verdict, "right", elapsed, points, at)
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::boolean[], %s::interval[], %s::smallint[], %s::timestamptz[])
    ON CONFLICT (card_id, seat_id) DO NOTHING
    RETURNING card_id, seat_id
"""
_Key = tuple[int, int]


def store_answers(*, session_id: int, answers: Sequence[GivenAnswer]) -> list[Outcome]:
    """Store the answers to what is on the table, and return what became of each, in order.

    The first answer of a seat to a card counts; another one gets it back, however late. In as many statements for a thousand as for
    one. Turns the card once everybody has answered it.
    """
    if not answers:
        return []
    with transaction.atomic():
        session = next(iter(ClassSession.objects.raw(_LOCK, [session_id])), None)
        if session is None:
            return [Outcome(Code.NO_SEAT)] * len(answers)
        outcomes = _store(session, answers)
    now = max(answer.at for answer in answers)
    if any(outcome.code == Code.KEPT for outcome in outcomes):
        announce_class(code=session.code, audiences=TEACHER)
        move_on_if_answered(session_id=session_id, now=now)
    move_on_if_due(session=session, now=now)
    return outcomes


def _store(session: ClassSession, answers: Sequence[GivenAnswer]) -> list[Outcome]:
    seats = {seat.token: seat for seat in session.seats.filter(token__in={answer.seat_token for answer in answers}, kicked_at=None)}
    found = session.cards.filter(token__in={answer.card_token for answer in answers})
    cards = {card.token: card for card in found.select_related("tweet__author", "text")}
    pairs = [(seats.get(answer.seat_token), cards.get(answer.card_token)) for answer in answers]
    new: dict[_Key, Answer] = {}
    refused: list[Code | None] = []
    for (seat, card), answer in zip(pairs, answers, strict=True):
        code = _refuse(session, seat, card, answer.at)
        refused.append(code)
        if seat and card and not code:
            new.setdefault((card.pk, seat.pk), _judge(session, seat, card, answer))
    stored = _insert(new)
    keys = {(card.pk, seat.pk) for seat, card in pairs if seat and card}
    before = _read_verdicts(keys - stored)
    outcomes = []
    for (seat, card), code in zip(pairs, refused, strict=True):
        key = (card.pk, seat.pk) if seat and card else None
        if key in stored:
            # The same answer twice in a batch: the second one is a retry.
            stored.remove(key)
            before[key] = new[key].verdict
            outcomes.append(Outcome(Code.KEPT, new[key].verdict))
        elif key in before:
            outcomes.append(Outcome(Code.KNOWN, before[key]))
        else:
            assert code, "what was neither refused nor stored was known"
            outcomes.append(Outcome(code))
    return outcomes


def _refuse(session: ClassSession, seat: Seat | None, card: ClassCard | None, at: datetime) -> Code | None:
    """Return why an answer that the seat has not given yet does not count; None where it does."""
    if seat is None:
        return Code.NO_SEAT
    if card is None:
        return Code.WRONG_CARD
    if card.text and card.text.seat_id == seat.pk:
        return Code.NOT_YOURS
    if card.position > session.position:
        return Code.WRONG_CARD
    return None if card.position == session.position and rules.takes_answers(session.state, at) else Code.LATE


def _judge(session: ClassSession, seat: Seat, card: ClassCard, answer: GivenAnswer) -> Answer:
    right = answer.verdict == card.kind
    elapsed = rules.elapsed(session.state, answer.at)
    points = rules.points(right=right, elapsed=elapsed, given=session.given, speed=session.speed_points)
    return Answer(card=card, seat=seat, verdict=answer.verdict, right=right, elapsed=elapsed, points=points, at=answer.at)


def _insert(new: dict[_Key, Answer]) -> set[_Key]:
    """Store answers, but for those of seats that have answered; return which were stored."""
    # In the order of their keys, so that two batches wait for each other instead of locking each other out.
    rows = [new[key] for key in sorted(new)]
    columns = [[getattr(row, name) for row in rows] for name in ("card_id", "seat_id", "verdict", "right", "elapsed", "points", "at")]
    with connection.cursor() as cursor:
        cursor.execute(_STORE, columns)
        return set(cursor.fetchall())


def _read_verdicts(keys: set[_Key]) -> dict[_Key, str]:
    rows = Answer.objects.filter(card__in={card for card, _ in keys}, seat__in={seat for _, seat in keys})
    return {(card, seat): verdict for card, seat, verdict in rows.values_list("card", "seat", "verdict") if (card, seat) in keys}
