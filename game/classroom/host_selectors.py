"""What the teacher's own pages read. Nothing here writes."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from game.classroom.models import ClassCard, ClassSession, Seat
from game.classroom.selectors import find_session


def list_sessions(teacher: User) -> QuerySet[ClassSession]:
    """Return the teacher's sessions, the newest first, with `card_count` and `seat_count`."""
    counts = {"card_count": _count(ClassCard.objects.all()), "seat_count": _count(Seat.objects.filter(kicked_at=None))}
    return ClassSession.objects.filter(teacher=teacher).annotate(**counts).prefetch_related("categories").order_by("-created_at", "-pk")


def _count(rows: QuerySet[Any]) -> Coalesce:
    """Count the rows of each session by themselves: joined with others they would be multiplied."""
    counted = rows.filter(session=OuterRef("pk")).order_by().values("session").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def find_own_session(*, code: str, teacher: User) -> ClassSession | None:
    """Return the session with this code if it is this teacher's, its `state` complete; None otherwise."""
    session = find_session(code)
    return session if session and session.teacher_id == teacher.pk else None
