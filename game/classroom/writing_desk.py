"""What students write is kept, and what their teacher makes of all texts, without knowing whose they are."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.crypto import salted_hmac

from game.classroom import rules
from game.classroom.models import ClassSession, ClassText, Seat
from game.classroom.services import HOST, TEACHER, announce_class, hold_still
from game.classroom.texts import BadText, clean_text, warnings
from game.classroom.writing import ask_models, collect_texts, is_answered

# Not seedable from outside: who can predict the draw knows whose texts come first.
_rng = random.SystemRandom()
_KEY_LENGTH = 22
_LATE = "The time is up: what you had kept before counts."


@dataclass(frozen=True, slots=True)
class Sheet:
    """A text on the teacher's desk. Neither `key` nor its place in the order says who wrote it."""

    key: str
    body: str
    status: str
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True)
class Desk:
    """What the teacher reads. Without `sheets` the bots are still `writing`, or could not; `seats` wrote something."""

    sheets: Sequence[Sheet]
    writing: bool
    seats: int

    @property
    def approved(self) -> int:
        """Count what is approved so far."""
        return sum(sheet.status == ClassText.Status.APPROVED for sheet in self.sheets)

    @property
    def left(self) -> int:
        """Count what is not decided on."""
        return sum(sheet.status == ClassText.Status.PENDING for sheet in self.sheets)


def takes_texts(state: rules.State, now: datetime) -> bool:
    """Say whether a student may write at `now`: while the class is paused, too."""
    return state.phase == rules.Phase.WRITING and not rules.is_due(state, now)


@transaction.atomic
def keep_text(*, seat: Seat, typed: str, now: datetime) -> ClassText | None:
    """Keep what a student has typed instead of what was kept of theirs; nothing typed takes that away, and returns None.

    Raises BadText, also where the time is up.
    """
    session = hold_still(session_id=seat.session_id)
    if session is None or not takes_texts(session.state, now):
        raise BadText("late", _LATE)
    kept = ClassText.objects.filter(seat=seat)
    if not typed.strip():
        if kept.delete()[0]:
            announce_class(code=session.code, audiences=TEACHER)
        return None
    text = ClassText(session=session, seat=seat, body=clean_text(typed, prompt=session.prompt), written_at=now)
    if not kept.update(body=text.body, written_at=now):
        ClassText.objects.bulk_create([text], update_conflicts=True, unique_fields=["seat"], update_fields=["body", "written_at"])
        announce_class(code=session.code, audiences=TEACHER)
    return text


def read_own_text(*, seat: Seat) -> ClassText | None:
    """Return what was kept of what a student wrote."""
    return ClassText.objects.filter(seat=seat).first()


@transaction.atomic
def open_desk(*, session: ClassSession) -> Desk:
    """Return what the teacher reads while the class waits.

    All texts come at once, those of the bots among them: one by one they would tell by their time whose they are. Where none of
    a bot has come, those are asked again that failed a while ago.
    """
    held = ClassSession.objects.select_for_update(no_key=True).get(pk=session.pk)
    texts = list(held.texts.filter(seat__kicked_at=None))
    seats = sum(text.seat_id is not None for text in texts)
    if seats == len(texts):
        if held.phase == rules.Phase.CHOOSING and collect_texts(session=held, rng=_rng):
            return open_desk(session=held)
        if held.phase == rules.Phase.CHOOSING and is_answered(session=held):
            ask_models(session=held)
        return Desk([], writing=not is_answered(session=held), seats=seats)
    names = list(held.seats.filter(kicked_at=None).values_list("name", flat=True))
    sheets = [Sheet(_key(text.pk), text.body, text.status, warnings(text.body, names=names)) for text in texts]
    return Desk(sorted(sheets, key=lambda sheet: sheet.key), writing=False, seats=seats)


def _key(pk: int) -> str:
    """Return what stands for a text in the teacher's page: its number tells whether it came before the bots' texts, or with them."""
    return salted_hmac("game.classroom.text", str(pk)).hexdigest()[:_KEY_LENGTH]


@transaction.atomic
def decide_text(*, session: ClassSession, key: str, status: str) -> bool:
    """Approve a text of the session, reject it, or leave it open again; False if there is none, or the cards are dealt."""
    held = hold_still(session_id=session.pk)
    if held is None or held.phase != rules.Phase.CHOOSING:
        return False
    found = next((pk for pk in session.texts.values_list("pk", flat=True) if _key(pk) == key), None)
    if found is None or not ClassText.objects.filter(pk=found).update(status=ClassText.Status(status)):
        return False
    # The desk itself is part of the presenter's page, and is drawn by the answer.
    announce_class(code=session.code, audiences=[HOST])
    return True
