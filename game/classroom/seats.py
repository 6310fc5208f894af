"""Sitting down in a class, and finding one's seat again."""

import random
from datetime import datetime

from django.conf import settings
from django.db import transaction

from game.classroom import rules
from game.classroom.models import ClassSession, Seat
from game.classroom.names import BadName, looks_like, new_name, read_name
from game.classroom.services import TEACHER, announce_class

# Names without a number that are tried first.
_PLAIN_NAMES = 8


class JoinRefused(Exception):
    """Somebody can't sit down; `code` is stable, the message says what to do.

    Codes: `locked`, `full`, `late`, `over`, `name-taken`, `bad-name`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


_SENTENCES = {
    "over": "This class is over. Ask your teacher for another code.",
    "locked": "The door is locked. Ask your teacher to open it.",
    "late": "They have begun already, and nobody may join any more. Watch the projector.",
    "full": "Every seat is taken. Ask your teacher for help.",
    "name-taken": "Somebody has this name, or one that looks the same. Add a letter.",
}


@transaction.atomic
def join_class(*, session: ClassSession, name: str, now: datetime, rng: random.Random, offered: str = "") -> Seat:
    """Give somebody a seat under the name they typed, where names may be typed, or else under a generated one; raises JoinRefused.

    `offered` is a name of offer_name's, which is theirs unless somebody was given it meanwhile.
    """
    # Those who join at once come one after another: neither one too many, nor two of the same name.
    session = ClassSession.objects.select_for_update(no_key=True).get(pk=session.pk)
    if code := _refuse(session, now):
        raise _refused(code)
    chosen = _choose_name(session, name) if session.typed_names and name.strip() else _find_free_name(session, rng, offered)
    seat = Seat.objects.create(session=session, name=chosen, code=_find_free_code(session, rng))
    announce_class(code=session.code, audiences=TEACHER)
    return seat


def offer_name(*, session: ClassSession, rng: random.Random) -> str:
    """Return a generated name that nobody in the class has yet."""
    return _find_free_name(session, rng)


def find_refusal(*, session: ClassSession, now: datetime) -> JoinRefused | None:
    """Return why nobody may sit down any more, if it is so; whoever has a seat keeps it."""
    code = _refuse(session, now)
    return _refused(code) if code else None


def _refused(code: str) -> JoinRefused:
    return JoinRefused(code, _SENTENCES[code])


def _refuse(session: ClassSession, now: datetime) -> str | None:
    is_over = session.phase == rules.Phase.PODIUM or (not session.is_in_step and rules.is_due(session.state, now))
    if is_over:
        return "over"
    if session.locked:
        return "locked"
    if not session.late_join and session.phase != rules.Phase.LOBBY:
        return "late"
    return "full" if session.seats.filter(kicked_at=None).count() >= settings.CLASS_SEATS else None


def _choose_name(session: ClassSession, typed: str) -> str:
    try:
        name = read_name(typed)
    except BadName as error:
        raise JoinRefused("bad-name", str(error)) from error
    # Who was sent out may come back under the same name.
    if looks_like(name) in map(looks_like, session.seats.filter(kicked_at=None).values_list("name", flat=True)):
        raise _refused("name-taken")
    return name


def _find_free_name(session: ClassSession, rng: random.Random, offered: str = "") -> str:
    name, tries = offered or new_name(rng), 0
    while session.seats.filter(name__iexact=name).exists():
        tries += 1
        name = new_name(rng, numbered=tries >= _PLAIN_NAMES)
    return name


def _find_free_code(session: ClassSession, rng: random.Random) -> str:
    while session.seats.filter(code=(code := rules.new_code(rng))).exists():
        pass
    return code


def find_seat(*, code: str, token: str) -> Seat | None:
    """Return the seat with this token in the class with this code, with its session; None for one that was sent out."""
    return Seat.objects.select_related("session").filter(session__code=code, token=token, kicked_at=None).first()


def find_seat_by_code(*, session: ClassSession, seat_code: str) -> Seat | None:
    """Return the seat whose code somebody typed, whatever its case; None where there is none, or it was sent out."""
    code = rules.read_code(seat_code)
    return session.seats.filter(code=code, kicked_at=None).first() if code else None
