"""Deleting classes: by their teacher at once, and by themselves when their time has come."""

from datetime import datetime, timedelta

from django.db import transaction

from game.classroom import rules
from game.classroom.models import Answer, ClassCard, ClassSession, ClassText, Seat
from game.classroom.services import announce_class

# Of classes whose time has come, so many at most are deleted when the clock asks: the next time the rest.
BATCH = 100
# Rows of one statement.
ROWS = 5_000
# A class in which somebody joined, wrote or answered so short a time ago is not deleted under them: the clock asks again.
QUIET = timedelta(hours=1)


def is_going_on(session: ClassSession) -> bool:
    """Say whether a class plays in step right now: its teacher ends it before deleting it."""
    return session.is_in_step and session.phase not in (rules.Phase.LOBBY, rules.Phase.PODIUM)


def count_contents(session: ClassSession) -> dict[str, int]:
    """Count what goes with a class."""
    return {
        "students": session.seats.count(),
        "answers": Answer.objects.filter(card__session=session).count(),
        "texts": session.texts.exclude(seat=None).count(),
        "cards": session.cards.count(),
    }


def delete_session(*, session: ClassSession) -> None:
    """Delete a class with all that its students did, and tell those who look at it; tweets stay in the pool."""
    with transaction.atomic():
        # Waits for answers that are being stored.
        if locked := ClassSession.objects.select_for_update().filter(pk=session.pk).first():
            _delete(locked)


def delete_old(*, now: datetime) -> int:
    """Delete classes whose time has come, at most BATCH of them, and return how many that were.

    Each is a transaction of its own. One that is in use, or locked by an answer on its way, is left until the clock asks again; its
    `delete_at` stays, so that it goes with the first hour of silence.
    """
    deleted = 0
    for pk in ClassSession.objects.filter(delete_at__lte=now).order_by("delete_at", "pk").values_list("pk", flat=True)[:BATCH]:
        with transaction.atomic():
            session = ClassSession.objects.select_for_update(skip_locked=True).filter(pk=pk, delete_at__lte=now).first()
            if session and not _is_in_use(session, now - QUIET):
                _delete(session)
                deleted += 1
    return deleted


def _is_in_use(session: ClassSession, since: datetime) -> bool:
    return (
        Seat.objects.filter(session=session, joined_at__gt=since).exists()
        or Answer.objects.filter(card__session=session, at__gt=since).exists()
        or ClassText.objects.filter(session=session, written_at__gt=since).exists()
    )


def _delete(session: ClassSession) -> None:
    """Delete the many rows first, some thousands a statement; whatever else hangs on the session goes with it."""
    answers = Answer.objects.filter(card__session=session).values_list("pk", flat=True)
    while some := list(answers[:ROWS]):
        Answer.objects.filter(pk__in=some).delete()
    ClassCard.objects.filter(session=session).delete()
    ClassText.objects.filter(session=session).delete()
    Seat.objects.filter(session=session).delete()
    announce_class(code=session.code)
    session.delete()
