"""Cards at one's own pace: the seat says which card is on its table, and since when. Homework closes on a date, a challenge need not."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from game.classroom import rules
from game.classroom.answers import Code
from game.classroom.models import Answer, ClassCard, ClassSession, Seat
from game.pool.models import Status

# However often its date is put off.
LONGEST = timedelta(days=365)
# What becomes of an answer, besides game.classroom.answers.Code: its tweet has left the game.
GONE = "gone"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a seat is: the card on its table, none when it has judged all; `position` of it counts from 1, among `total`."""

    card: ClassCard | None
    position: int
    total: int


def is_open(session: ClassSession, now: datetime) -> bool:
    """Say whether cards are shown; an answer to one that was has a moment longer to come in."""
    return session.phase != rules.Phase.PODIUM and (session.deadline is None or now < session.deadline)


def _open_cards(seat: Seat) -> QuerySet[ClassCard]:
    """Return what the seat has yet to judge; whose tweet has left the game is left out."""
    cards = ClassCard.objects.filter(session=seat.session_id, skipped=False, tweet__status=Status.APPROVED)
    return cards.exclude(pk__in=Answer.objects.filter(seat=seat).values("card")).order_by("position")


def count_open(seat: Seat) -> int:
    """Count the cards that the seat has yet to judge."""
    return _open_cards(seat).count()


@transaction.atomic
def show_card(*, seat_id: int, now: datetime) -> Place:
    """Put a seat's next card on its table, and note since when; the one that is there stays, however often it is asked for."""
    # Two devices of one seat: neither may put back what the other has shown.
    seat = Seat.objects.select_for_update().get(pk=seat_id)
    left, answered = count_open(seat), seat.answers.count()
    card = _open_cards(seat).select_related("tweet__category").first()
    if card and card.position != seat.shown_position:
        seat.shown_position, seat.shown_at = card.position, now
        seat.save(update_fields=["shown_position", "shown_at"])
    return Place(card, answered + 1, answered + left)


# As for answers to what all see at once: it closes, or somebody is sent out, before what is checked under this lock or after it.
_LOCK = """
    SELECT session.* FROM classroom_classsession session JOIN classroom_seat seat ON seat.session_id = session.id
     WHERE seat.id = %s FOR SHARE OF session
"""


@transaction.atomic
def answer_card(*, seat_id: int, token: str, verdict: str, now: datetime) -> str:
    """Store a seat's verdict on the card on its table, and return what became of it: a game.classroom.answers.Code, or GONE.

    A card that has an answer of this seat keeps it.
    """
    session = next(iter(ClassSession.objects.raw(_LOCK, [seat_id])), None)
    # Two devices of one seat come one after the other.
    seat = Seat.objects.select_for_update().filter(pk=seat_id, kicked_at=None).first()
    if session is None or seat is None:
        return Code.NO_SEAT
    card = session.cards.select_related("tweet__author").filter(token=token).first()
    if card is None:
        return Code.WRONG_CARD
    if card.answers.filter(seat=seat).exists():
        return Code.KNOWN
    if session.phase != rules.Phase.LOBBY or rules.is_due(session.state, now):
        return Code.LATE
    if card.skipped or card.withdrawn:
        return GONE
    if card.position != seat.shown_position or seat.shown_at is None:
        return Code.WRONG_CARD
    elapsed, right = now - seat.shown_at, card.kind == verdict
    # Speed is for those who begin together.
    points = rules.points(right=right, elapsed=None, given=None, speed=False)
    Answer.objects.create(card=card, seat=seat, verdict=verdict, right=right, elapsed=elapsed, points=points, at=now)
    return Code.KEPT


def put_off(*, session: ClassSession, by: timedelta, now: datetime) -> bool:
    """Move the date of an open session, and that on which it deletes itself, and say whether nobody has changed it meanwhile."""
    if session.deadline is None or session.deadline + by > session.created_at + LONGEST:
        return False
    same = ClassSession.objects.filter(pk=session.pk, version=session.version, phase=rules.Phase.LOBBY, deadline__gt=now)
    later = {name: F(name) + by for name in ("deadline", "delete_at")}
    return same.update(**later, version=F("version") + 1) == 1
