"""Classes that write, and a bot that says what it is told to: what tests of writing begin with."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from game.classroom.models import ClassSession, ClassText, Seat
from game.classroom.writing_desk import Sheet, decide_text, keep_text, open_desk
from game.pool.models import Category
from generation.duel import columns
from generation.duel.columns import complete_column
from generation.duel.models import Column
from generation.folders import read_knowledge
from generation.loading import Writer
from generation.models import ModelVersion
from generation.versions import promote_model, register_model
from tests.game.classroom.classes import hold_class, press, seat
from tests.generation.conftest import SHIPPED, copy_model
from tests.generation.duel.conftest import ENDINGS, Speaker

PROMPT = "Tonight we will"
WRITING_TIME = timedelta(minutes=3)
STUDENTS = (
    "find out how long a snail needs for a lap",
    "paint the whole shed blue and say nothing",
    "count every spoon in this house",
    "dance until the milkman comes",
    "teach the cat to open the fridge",
)


def employ_bot(category: Category, folder: Path, **card: Any) -> ModelVersion:
    """Give a category a model that is active."""
    copy_model(folder, **{"category": category.slug, "name": f"tiny-{category.slug}", **card})
    return promote_model(model_version=register_model(category=category, folder=folder), by=None)


def hold_writing(category: Category, *, now: datetime, prompt: str = PROMPT, cards: int = 20, **chosen: Any) -> ClassSession:
    """Return a class that will write, in its lobby."""
    seed = ClassSession.objects.count()
    return hold_class([category], now=now, mode="write", prompt=prompt, writing_time=WRITING_TIME, cards=cards, seed=seed, **chosen)


def let_bots_write(monkeypatch: pytest.MonkeyPatch, *endings: str) -> None:
    """Have every bot that was asked answer now, with these endings."""
    knowledge = read_knowledge(SHIPPED)
    monkeypatch.setattr(columns, "load_writer", lambda _model: Writer(Speaker(*(endings or ENDINGS)), knowledge))
    for column in Column.objects.filter(state=Column.State.PENDING):
        complete_column(column_id=column.pk)


def write(seats: Sequence[Seat], *, now: datetime, texts: Sequence[str] = STUDENTS) -> list[ClassText]:
    """Have students write, one after the other."""
    kept = [keep_text(seat=one, typed=typed, now=now) for one, typed in zip(seats, texts, strict=False)]
    return [text for text in kept if text]


def reach_desk(
    session: ClassSession, monkeypatch: pytest.MonkeyPatch, *, now: datetime, students: int = 3
) -> tuple[ClassSession, list[Seat]]:
    """Return the class with its texts on the teacher's desk, and who sits in it."""
    seats = seat(session, students, now=now)
    session = press(session, "start", now=now)
    write(seats, now=now)
    let_bots_write(monkeypatch)
    return press(session, "next", now=now), seats


def find_sheet(session: ClassSession, text: ClassText) -> Sheet:
    """Return a text as it lies on the desk."""
    return next(sheet for sheet in open_desk(session=session).sheets if sheet.body == text.body)


def approve_all(session: ClassSession) -> None:
    """Approve what lies on the desk."""
    for sheet in open_desk(session=session).sheets:
        assert decide_text(session=session, key=sheet.key, status="approved")
