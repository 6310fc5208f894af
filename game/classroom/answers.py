"""Answers of a class, however many at once, in one transaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import connection, transaction

from game.classroom import rules
from game.classroom.models import Answer, ClassCard, ClassSession
from game.classroom.services import TEACHER, announce_class, hold_still, move_on_if_answered, move_on_if_due


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


# By their keys, so that two batches wait for each other instead of locking each other out. One value: a column each takes longer to write.
_STORE = """
    INSERT INTO classroom_answer (card_id, seat_id, verdict, "right", elapsed, points, at)
    SELECT card_id, seat_id, verdict, "right", elapsed, points, at
      FROM json_to_recordset(%s::json)
           AS (card_id bigint, seat_id bigint, verdict text, "right" boolean, elapsed interval, points smallint, at timestamptz)
     ORDER BY card_id, seat_id
    ON CONFLICT (card_id, seat_id) DO NOTHING
    RETURNING card_id, seat_id
"""
# Of an answer: its card and its seat.
_Key = tuple[int, int]
_NOBODY = (0, 0)


def store_answers(*, session_id: int, answers: Sequence[GivenAnswer]) -> list[Outcome]:
    """Store the answers to what is on the table, and return what became of each, in order.

    The first answer of a seat to a card counts; another one gets it back, however late. In as many statements for a thousand as for
    one. Turns the card once everybody has answered it.
    """
    if not answers:
        return []
    with transaction.atomic():
        session = hold_still(session_id=session_id)
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
    # Without a model's instance for each of a thousand, which takes longer than all the rest.
    found = session.seats.filter(token__in={answer.seat_token for answer in answers}, kicked_at=None)
    seats = dict(found.values_list("token", "pk"))
    dealt = session.cards.filter(token__in={answer.card_token for answer in answers})
    cards = {card.token: card for card in dealt.select_related("tweet__author", "text")}
    state = session.state
    new: dict[_Key, dict[str, Any]] = {}
    judged: list[tuple[_Key, Code | None]] = []
    for answer in answers:
        seat, card = seats.get(answer.seat_token), cards.get(answer.card_token)
        code = _refuse(state, seat, card, answer.at)
        key = (card.pk, seat) if card and seat else _NOBODY
        judged.append((key, code))
        if card and not code:
            new.setdefault(key, _judge(session, state, key, card.kind, answer))
    stored = _insert(list(new.values()))
    known = _read_verdicts({key for key, _ in judged} - stored)
    outcomes = []
    for key, code in judged:
        if key in stored:
            # The same answer twice in a batch: the second one is a retry.
            stored.remove(key)
            known[key] = new[key]["verdict"]
            outcomes.append(Outcome(Code.KEPT, known[key]))
        elif key in known:
            outcomes.append(Outcome(Code.KNOWN, known[key]))
        else:
            assert code, "what was neither refused nor stored was known"
            outcomes.append(Outcome(code))
    return outcomes


def _refuse(state: rules.State, seat: int | None, card: ClassCard | None, at: datetime) -> Code | None:
    """Return why an answer that the seat has not given yet does not count; None where it does."""
    if seat is None:
        return Code.NO_SEAT
    if card is None:
        return Code.WRONG_CARD
    if card.text and card.text.seat_id == seat:
        return Code.NOT_YOURS
    if card.position > state.position:
        return Code.WRONG_CARD
    return None if card.position == state.position and rules.takes_answers(state, at) else Code.LATE


def _judge(session: ClassSession, state: rules.State, key: _Key, truth: str, answer: GivenAnswer) -> dict[str, Any]:
    right, elapsed = answer.verdict == truth, rules.elapsed(state, answer.at)
    return {
        "card_id": key[0],
        "seat_id": key[1],
        "verdict": answer.verdict,
        "right": right,
        "elapsed": None if elapsed is None else f"{elapsed.total_seconds():.6f} seconds",
        "points": rules.points(right=right, elapsed=elapsed, given=state.given, speed=session.speed_points),
        "at": answer.at.isoformat(),
    }


def _insert(rows: Sequence[dict[str, Any]]) -> set[_Key]:
    """Store answers, but for those of seats that have answered; return which were stored."""
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [json.dumps(rows)])
        return set(cursor.fetchall())


def _read_verdicts(keys: set[_Key]) -> dict[_Key, str]:
    rows = Answer.objects.filter(card__in={card for card, _ in keys}, seat__in={seat for _, seat in keys})
    return {(card, seat): verdict for card, seat, verdict in rows.values_list("card", "seat", "verdict") if (card, seat) in keys}
