"""Deleting classes: all of one and nothing of another, and none under those who play."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from game.classroom import deletion
from game.classroom.deletion import QUIET, delete_old, delete_session, is_going_on
from game.classroom.models import Answer, ClassCard, ClassSession, ClassText, Seat
from game.pool.models import Category, Kind, Tweet
from generation.models import ModelVersion
from tests.game.classroom.held import WHEN, answer, deal, deal_text, make_session, seat_students

LATER = WHEN + timedelta(days=31)
TABLES = (ClassSession, Seat, ClassText, ClassCard, Answer)


def held(category: Category, code: str = "BCDFGH", **fields: Any) -> ClassSession:
    """Return a class of two students who answered three cards, one of which one of them wrote."""
    teacher, _ = User.objects.get_or_create(username="mona")
    session = make_session(teacher, category, code=code, **fields)
    bea, cleo = seat_students(session, ["Bea", "Cleo"])
    cards = [*deal(session, category, [Kind.HUMAN, Kind.MACHINE]), deal_text(session, 3, seat=bea)]
    answer(bea, cards, "rw-")
    answer(cleo, cards, "rrr")
    return session


def counts() -> list[int]:
    return [model._default_manager.count() for model in TABLES]


def test_a_class_goes_with_all_that_its_students_did_and_leaves_the_others_and_the_pool(category: Category) -> None:
    session, other = held(category), held(category, code="CDFGHJ")
    tweets = Tweet.objects.count()
    delete_session(session=session)
    assert counts() == [1, 2, 1, 3, 5]
    assert ClassSession.objects.get() == other
    assert set(Seat.objects.values_list("session", flat=True)) == {other.pk}
    assert Tweet.objects.count() == tweets
    assert User.objects.filter(username="mona").exists()


def test_many_answers_go_some_at_a_time(category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "ROWS", 2)
    session = held(category)
    with CaptureQueriesContext(connection) as queries:
        delete_session(session=session)
    assert counts() == [0, 0, 0, 0, 0]
    # Two, two and one.
    assert sum(query["sql"].startswith('DELETE FROM "classroom_answer" WHERE "classroom_answer"."id" IN') for query in queries) == 3


def test_a_class_that_somebody_else_has_just_deleted_is_deleted_all_the_same(category: Category) -> None:
    session = held(category)
    again = ClassSession.objects.get()
    delete_session(session=session)
    delete_session(session=again)
    assert counts() == [0, 0, 0, 0, 0]


def test_what_was_written_by_models_goes_and_the_models_stay(category: Category) -> None:
    session = held(category)
    author = Tweet.objects.filter(category=category, kind=Kind.MACHINE)[0].author
    version = ModelVersion.objects.create(author=author, category=category, name="tiny", version=1, path="nowhere")
    deal_text(session, 4, model_version=version)
    delete_session(session=session)
    assert counts() == [0, 0, 0, 0, 0]
    assert ModelVersion.objects.get() == version


def test_the_clock_deletes_what_is_due_and_nothing_else(category: Category) -> None:
    due = held(category, delete_at=LATER)
    held(category, code="CDFGHJ", delete_at=LATER + timedelta(seconds=1))
    assert delete_old(now=LATER) == 1
    assert not ClassSession.objects.filter(pk=due.pk).exists()
    assert counts() == [1, 2, 1, 3, 5]
    assert delete_old(now=LATER) == 0


@pytest.mark.parametrize("what", ["joined", "answered", "wrote"])
def test_a_class_is_not_deleted_under_those_who_are_in_it_and_goes_with_the_first_hour_of_silence(category: Category, what: str) -> None:
    session = held(category, delete_at=LATER)
    lately = LATER - timedelta(minutes=59)
    match what:
        case "joined":
            Seat.objects.filter(session=session, name="Cleo").update(joined_at=lately)
        case "answered":
            Answer.objects.filter(pk=Answer.objects.first().pk).update(at=lately)  # type: ignore[union-attr]
        case _:
            ClassText.objects.update(written_at=lately)
    assert delete_old(now=LATER) == 0
    assert counts() == [1, 2, 1, 3, 5]
    assert ClassSession.objects.get().delete_at == LATER
    assert delete_old(now=lately + QUIET) == 1


def test_no_more_than_a_batch_is_deleted_at_once_the_oldest_first(category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "BATCH", 2)
    for days, code in enumerate(("CDFGHJ", "DFGHJK", "FGHJKM")):
        held(category, code=code, delete_at=LATER - timedelta(days=days))
    assert delete_old(now=LATER) == 2
    assert ClassSession.objects.get().code == "CDFGHJ"
    assert delete_old(now=LATER) == 1


@pytest.mark.django_db(transaction=True)
def test_a_class_whose_answers_are_being_stored_is_left_for_the_next_time(fill: Any) -> None:
    session = held(fill(human=2, machine=2), delete_at=LATER)
    other = connections.create_connection("default")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT 1 FROM classroom_classsession WHERE id = %s FOR SHARE", [session.pk])
            assert delete_old(now=LATER) == 0
            other.rollback()
    finally:
        other.close()
    assert delete_old(now=LATER) == 1


def test_a_class_that_is_deleted_halfway_is_not_deleted_at_all(category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    session = held(category)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(ClassSession, "delete", fail)
    with pytest.raises(RuntimeError):
        delete_session(session=session)
    assert counts() == [1, 2, 1, 3, 5]


@pytest.mark.parametrize(
    ("mode", "phase", "going_on"),
    [
        ("live", "lobby", False),
        ("live", "card", True),
        ("live", "reveal", True),
        ("write", "writing", True),
        ("write", "choosing", True),
        ("live", "podium", False),
        ("homework", "lobby", False),
    ],
)
def test_a_class_in_step_is_going_on_from_its_start_to_its_podium(mode: str, phase: str, going_on: bool) -> None:
    assert is_going_on(ClassSession(mode=mode, phase=phase)) is going_on
