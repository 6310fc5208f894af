from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from game import schedule
from game.celery import app
from game.classroom import tasks
from game.classroom.models import ClassSession
from game.classroom.rules import GRACE
from game.classroom.selectors import find_session
from game.classroom.services import TASK
from game.pool.models import Category
from tests.game.classroom.classes import CARD_TIME, hold_class, press


@pytest.fixture
def begin(category: Category) -> Callable[[timedelta], ClassSession]:
    """Return a function that begins a class whose first card has been on the table for so long."""

    def make(ago: timedelta) -> ClassSession:
        now = timezone.now() - ago
        return press(hold_class([category], now=now, seed=ago.seconds), "start", now=now)

    return make


def phase_of(session: ClassSession) -> tuple[str, int]:
    found = find_session(session.code)
    assert found
    return found.phase, found.version


def test_a_task_moves_its_class_on_when_the_time_is_up(begin: Callable[[timedelta], ClassSession]) -> None:
    session = begin(CARD_TIME + GRACE)
    tasks.expire(session.pk, session.version)
    assert phase_of(session) == ("reveal", 2)
    # Handed to a second worker, it does nothing.
    tasks.expire(session.pk, session.version)
    assert phase_of(session) == ("reveal", 2)


def test_a_task_of_another_version_or_before_the_time_does_nothing(begin: Callable[[timedelta], ClassSession]) -> None:
    early, over = begin(timedelta(0)), begin(CARD_TIME + GRACE)
    tasks.expire(early.pk, early.version)
    tasks.expire(over.pk, over.version - 1)
    tasks.expire(over.pk + 1, 0)
    assert (phase_of(early), phase_of(over)) == (("card", 1), ("card", 1))


def test_the_clock_moves_on_what_no_task_has(begin: Callable[[timedelta], ClassSession]) -> None:
    early, over = begin(timedelta(0)), begin(CARD_TIME + GRACE)
    tasks.move_on_what_is_due()
    assert (phase_of(early), phase_of(over)) == (("card", 1), ("reveal", 2))


def test_the_clock_deletes_classes_whose_time_has_come(begin: Callable[[timedelta], ClassSession]) -> None:
    kept, old = begin(timedelta(0)), begin(timedelta(days=31))
    tasks.delete_old_classes()
    assert (ClassSession.objects.filter(pk=kept.pk).exists(), ClassSession.objects.filter(pk=old.pk).exists()) == (True, False)


def test_tasks_are_called_what_is_sent_and_asked_for() -> None:
    assert tasks.expire.name == TASK
    asked = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert {tasks.move_on_what_is_due.name, tasks.delete_old_classes.name} <= asked
    assert schedule.QUEUES["game.classroom.tasks.*"] == {"queue": "clock"}
