"""The form for a new class: what it makes, what is wrong with what was typed, and that nothing of it is lost."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from game.classroom.forms import NewClassForm
from game.classroom.models import ClassSession
from game.pool.models import Category, Kind
from game.pool.services import get_author
from generation.models import ModelVersion
from tests.game.classroom.classes import hold_class
from tests.people import client_of

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ABOUT = timedelta(minutes=1)


def give_model(category: Category, state: str = "active") -> None:
    author = get_author(kind=Kind.MACHINE, platform="model", handle=f"{category.slug}-{state}", name="writer")
    ModelVersion.objects.create(author=author, category=category, name=f"{category.slug}-{state}", version=1, path="nowhere", state=state)


@pytest.fixture
def decks(fill: Callable[..., Category]) -> list[Category]:
    """Return two decks that can be played, the second of which has a bot that writes; and make one that can't."""
    decks = [fill("gardeners"), fill("sailors")]
    give_model(decks[1])
    give_model(Category.objects.create(slug="desert", name="Desert"), state="retired")
    return decks


@pytest.fixture
def tess(db: None) -> Client:
    return client_of("teacher")


def defaults(**changed: Any) -> dict[str, Any]:
    """Return what the form sends when nothing was touched, but for what was."""
    form = NewClassForm(now=timezone.now())
    sent = {field.name: field.initial for field in form if field.initial not in (None, False)}
    return {name: value for name, value in (sent | changed).items() if value is not None}


def made() -> ClassSession:
    return ClassSession.objects.get()


def errors(client: Client, data: dict[str, Any]) -> dict[str, list[str]]:
    """Send the form, which must be refused; return what is wrong, by field."""
    response = client.post("/class/new/", data)
    assert response.status_code == 422
    assert ClassSession.objects.count() == 0
    return {name: list(lines) for name, lines in response.context["form"].errors.items()}


def test_one_button_makes_a_class_of_all_decks(decks: list[Category], tess: Client) -> None:
    response = tess.post("/class/new/", defaults())
    session = made()
    assert response["Location"] == f"/class/{session.code}/host/"
    assert (session.mode, session.teacher and session.teacher.username, session.cards.count()) == ("live", "teacher", 10)
    assert list(session.categories.order_by("slug")) == decks
    assert (session.card_time, session.show, session.late_join) == (timedelta(seconds=30), "each", True)
    assert (session.speed_points, session.typed_names, session.prompt, session.writing_time) == (False, False, "", None)
    assert abs(session.delete_at - session.created_at - timedelta(days=30)) < ABOUT


def test_what_a_teacher_chooses_is_what_the_class_is(decks: list[Category], tess: Client) -> None:
    chosen = {"categories": ["sailors"], "cards": 3, "card_time": 90, "speed_points": "on", "show": "never", "typed_names": "on"}
    tess.post("/class/new/", defaults(**chosen, late_join=None, title="8b, Tuesday", keep_days=1))
    session = made()
    assert [category.slug for category in session.categories.all()] == ["sailors"]
    assert session.cards.count() == session.cards.filter(tweet__category__slug="sailors").count() == 3
    assert (session.card_time, session.speed_points, session.show) == (timedelta(seconds=90), True, "never")
    assert (session.typed_names, session.late_join, session.title) == (True, False, "8b, Tuesday")
    assert abs(session.delete_at - session.created_at - timedelta(days=1)) < ABOUT


def test_without_seconds_there_are_no_points_for_speed(decks: list[Category], tess: Client) -> None:
    tess.post("/class/new/", defaults(card_time=0, speed_points="on"))
    assert (made().card_time, made().speed_points) == (None, False)


def test_a_class_that_writes_takes_one_voice_that_has_a_bot(decks: list[Category], tess: Client) -> None:
    tess.post("/class/new/", defaults(mode="write", voice="sailors", prompt="  Tonight   I will", writing_time=8, cards=12))
    session = made()
    assert (session.mode, session.prompt, session.writing_time, session.card_limit) == ("write", "Tonight I will", timedelta(minutes=8), 12)
    assert [category.slug for category in session.categories.all()] == ["sailors"]
    assert session.cards.count() == 0


def test_homework_closes_by_the_clock_of_whoever_typed_the_time(decks: list[Category], tess: Client) -> None:
    until = (timezone.now() + timedelta(days=3)).replace(hour=18, minute=0, second=0, microsecond=0)
    typed = until.strftime("%Y-%m-%dT%H:%M")
    offsets = []
    for zone in ("Asia/Kolkata", "UTC", "", "Nowhere/City", "../etc"):
        tess.post("/class/new/", defaults(mode="homework", deadline=typed, zone=zone, late_join=None))
        session = made()
        assert (session.card_time, session.speed_points, session.late_join) == (None, False, True)
        offsets.append(session.deadline and until - session.deadline)
        session.delete()
    assert offsets == [timedelta(hours=5.5), *[timedelta(0)] * 4]


WRITE, HOMEWORK = {"mode": "write", "voice": "sailors"}, {"mode": "homework"}


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"categories": None}, {"categories": ["Choose a deck, or several."]}),
        ({"categories": ["sailors", "desert"]}, {"categories": ["One of them can't be played any more. Choose again."]}),
        *(({"cards": cards}, {"cards": ["Type a number from 3 to 50."]}) for cards in (2, 51, "many", None)),
        ({"card_time": 7}, {"card_time": [ANY]}),
        ({"keep_days": 91}, {"keep_days": [ANY]}),
        ({"show": "always"}, {"show": [ANY]}),
        ({"mode": "quiz"}, {"mode": [ANY]}),
        ({"title": "8b" * 31}, {"title": [ANY]}),
        (WRITE | {"voice": None, "prompt": "Tonight"}, {"voice": ["Choose a deck."]}),
        (WRITE | {"voice": "gardeners", "prompt": "Tonight"}, {"voice": ["It has no bot that can write any more. Choose another."]}),
        (WRITE, {"prompt": ["Type how a tweet begins: a word is enough."]}),
        (WRITE | {"prompt": "@ada"}, {"prompt": [ANY]}),
        (HOMEWORK | {"deadline": None}, {"deadline": ["Say until when: a day and a time."]}),
        (HOMEWORK | {"deadline": "soon"}, {"deadline": ["Say until when: a day and a time."]}),
        (HOMEWORK | {"deadline": "2020-01-01T10:00"}, {"deadline": ["That is over already. Choose a later time."]}),
        (HOMEWORK | {"deadline": "9020-01-01T10:00"}, {"deadline": ["That is too far away. Choose a day within a year."]}),
    ],
)
def test_what_is_wrong_is_said_in_one_line_at_its_field(
    decks: list[Category], tess: Client, changed: dict[str, Any], wrong: dict[str, list[str]]
) -> None:
    assert errors(tess, defaults(**changed)) == wrong


def test_a_mode_minds_nothing_that_it_does_not_ask_for(decks: list[Category], tess: Client) -> None:
    tess.post("/class/new/", defaults(prompt="@ada" * 40, voice="nowhere", deadline="soon", writing_time=99))
    assert made().mode == "live"


def test_nothing_that_was_typed_is_lost(decks: list[Category], tess: Client) -> None:
    data = defaults(mode="write", voice="sailors", prompt="Tonight <b>", title="8b “blue”", cards=2, card_time=60, show="end")
    html = tess.post("/class/new/", data).content.decode()
    for field in ("Tonight &lt;b&gt;", "8b “blue”", "2"):
        assert f'value="{field}"' in html
    assert re.search(r'value="write"[^>]* checked', html)
    assert re.search(r'<option value="60" selected', html)
    assert re.search(r'<option value="end" selected', html)


def test_what_is_folded_away_is_open_when_it_is_wrong(decks: list[Category], tess: Client) -> None:
    for changed, is_open in (({"cards": 2}, False), ({"title": "8b" * 31}, True)):
        html = tess.post("/class/new/", defaults(**changed)).content.decode()
        assert ('<details class="more" open>' in html) == is_open


def test_more_cards_than_there_are_tweets_are_refused_at_their_number(fill: Callable[..., Category], tess: Client) -> None:
    fill("gardeners", human=12, machine=12)
    assert errors(tess, defaults(cards=50)) == {"cards": ["There are not enough tweets for so many. Choose fewer, or more decks."]}


def test_without_a_deck_the_page_says_what_is_missing(tess: Client) -> None:
    html = tess.get("/class/new/").content.decode()
    assert "No deck can be played yet" in html
    assert "Open the class" not in html


def test_another_class_like_one_begins_with_what_that_one_was(decks: list[Category], tess: Client) -> None:
    like = hold_class(decks[1:], now=timezone.now(), cards=7, title="9a", speed_points=True, show="never", card_time=timedelta(seconds=45))
    initial = tess.get(f"/class/new/?like={like.code}").context["form"].initial
    expected = {
        "mode": "live",
        "title": "9a",
        "cards": 7,
        "card_time": 45,
        "speed_points": True,
        "show": "never",
        "categories": ["sailors"],
    }
    assert {name: initial[name] for name in expected} == expected


def test_no_class_is_like_somebody_elses(decks: list[Category], tess: Client) -> None:
    like = hold_class(decks, now=timezone.now(), cards=7)
    ClassSession.objects.update(teacher=User.objects.create(username="theo"))
    assert "cards" not in tess.get(f"/class/new/?like={like.code}").context["form"].initial


@pytest.mark.parametrize(("most", "offered"), [(90, [1, 7, 30, 90]), (30, [1, 7, 30]), (5, [1, 5])])
def test_a_class_is_kept_no_longer_than_the_school_allows(db: None, settings: Any, most: int, offered: list[int]) -> None:
    settings.CLASS_KEEP_DAYS = most
    form = NewClassForm(now=NOW)
    assert [days for days, _ in form.fields["keep_days"].choices] == offered  # type: ignore[attr-defined]
    assert form.initial["keep_days"] == min(30, most)
