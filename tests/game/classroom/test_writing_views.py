"""The pages of a class that writes, and who is refused them."""

import re
from collections.abc import Callable
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from django.test import Client, override_settings
from django.utils import timezone

from game.accounts.roles import ADMINISTRATOR, MODERATOR, TEACHER
from game.classroom.identity import COOKIE, remember_seat
from game.classroom.models import ClassSession, ClassText, Seat
from game.classroom.selectors import find_session
from game.classroom.services import kick
from game.classroom.writing_desk import open_desk
from game.pool.models import Category
from tests.game.classroom.classes import press, seat
from tests.game.classroom.writers import PROMPT, approve_all, employ_bot, find_sheet, hold_writing, reach_desk
from tests.game.classroom.writers import write as write_texts

HTMX = {"HX-Request": "true"}


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def tess(db: None) -> User:
    return make_user("tess", TEACHER)


@pytest.fixture
def session(category: Category, tess: User, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClassSession:
    monkeypatch.setattr(current_app, "send_task", lambda *_, **__: None)
    employ_bot(category, tmp_path / "bot")
    return hold_writing(category, now=now, teacher=tess)


@pytest.fixture
def desk(session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch) -> ClassSession:
    """Return the class when its texts lie on the teacher's desk."""
    held, _ = reach_desk(session, monkeypatch, now=now)
    open_desk(session=held)
    return held


def make_user(name: str, role: str) -> User:
    user = User.objects.create(username=name)
    user.groups.add(Group.objects.get(name=role))
    return user


def sit(one: Seat) -> Client:
    """Return the browser of who sits there."""
    client, response = Client(), HttpResponse()
    remember_seat(response, {}, one.session.code, one.token)
    client.cookies[COOKIE] = response.cookies[COOKIE].value
    return client


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def words(response: Any) -> str:
    """Return what a page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def texts_url(session: ClassSession) -> str:
    return f"/class/{session.code}/texts/"


def write_url(session: ClassSession) -> str:
    return f"/class/{session.code}/write/"


# --- The student's sheet -------------------------------------------------------------------


def test_the_sheet_has_the_prompt_and_what_was_kept_so_far(session: ClassSession, now: datetime) -> None:
    (ada,) = seat(session, 1, now=now)
    press(session, "start", now=now)
    sheet = sit(ada).get(write_url(session), headers=HTMX)
    assert f'<p class="writing__prompt" id="beginning" dir="auto">{PROMPT}</p>' in sheet.content.decode()
    assert "></textarea>" in sheet.content.decode()
    write_texts([ada], now=now, texts=["paint it <blue> and go home"])
    sheet = sit(ada).get(write_url(session), headers=HTMX)
    assert ">paint it &lt;blue&gt; and go home</textarea>" in sheet.content.decode()
    assert "Kept." in words(sheet)


def test_what_is_typed_is_kept_or_refused_in_a_line(session: ClassSession, now: datetime) -> None:
    (ada,) = seat(session, 1, now=now)
    press(session, "start", now=now)
    client = sit(ada)
    said = []
    for typed in ("pai", "paint the whole shed", "paint it: https://shed.example/", ""):
        response = client.post(write_url(session), {"text": typed}, headers=HTMX)
        assert response.status_code == 200
        code = re.search(r'data-code="(.*?)"', response.content.decode())
        assert code
        said.append((code[1], words(response)))
    assert said == [
        ("short", "Not kept. That is a little short: 6 more, and it is long enough."),
        ("", "Kept. You may change it until the time is up."),
        ("link", f"Not kept. No links, please: the bots write none either. What counts so far: {PROMPT} paint the whole shed"),
        ("", "It is kept as you type. If they take yours for the bot\u2019s, you win points."),
    ]
    assert not ClassText.objects.exists()


def test_a_sheet_without_scripts_leads_back_to_the_class(session: ClassSession, now: datetime) -> None:
    (ada,) = seat(session, 1, now=now)
    press(session, "start", now=now)
    response = sit(ada).post(write_url(session), {"text": "paint the whole shed"})
    assert (response.status_code, response.headers["Location"]) == (302, f"/class/{session.code}/")
    assert ClassText.objects.get().seat == ada


def test_after_the_time_a_student_sees_what_was_handed_in(session: ClassSession, now: datetime) -> None:
    ada, bob = seat(session, 2, now=now)
    moved = press(session, "start", now=now)
    write_texts([ada], now=now, texts=["paint the whole shed"])
    press(moved, "next", now=now)
    assert words(sit(ada).get(write_url(session), headers=HTMX)) == f"You handed in: {PROMPT} paint the whole shed"
    assert words(sit(bob).get(write_url(session), headers=HTMX)) == "You handed in nothing this time. You guess all the same."
    late = sit(bob).post(write_url(session), {"text": "paint the whole shed"}, headers=HTMX)
    assert words(late) == "Not kept. The time is up: what you had kept before counts."


def test_a_sheet_is_for_whoever_has_a_seat_in_that_class(session: ClassSession, tess: User, category: Category, now: datetime) -> None:
    ada, kim = seat(session, 2, now=now)
    press(session, "start", now=now)
    other = hold_writing(category, now=now, teacher=tess)
    (eve,) = seat(other, 1, now=now)
    kick(seat=kim, now=now)
    codes = {}
    for name, client in {"ada": sit(ada), "eve": sit(eve), "kicked": sit(kim), "nobody": Client(), "teacher": sign_in(tess)}.items():
        got = client.get(write_url(session), headers=HTMX).status_code
        codes[name] = (got, client.post(write_url(session), {"text": "paint the whole shed"}, headers=HTMX).status_code)
    assert codes == {"ada": (200, 200), "eve": (404, 404), "kicked": (404, 404), "nobody": (404, 404), "teacher": (404, 404)}
    assert [text.seat for text in ClassText.objects.all()] == [ada]


def test_who_writes_too_often_is_told_to_wait(session: ClassSession, now: datetime) -> None:
    (ada,) = seat(session, 1, now=now)
    press(session, "start", now=now)
    client = sit(ada)
    with override_settings(RATE_ANSWER="1/h"):
        codes = [client.post(write_url(session), {"text": "paint the whole shed"}, headers=HTMX).status_code for _ in range(2)]
    assert codes == [200, 429]


def test_small_letters_in_the_code_find_the_class(session: ClassSession, now: datetime) -> None:
    (ada,) = seat(session, 1, now=now)
    press(session, "start", now=now)
    assert sit(ada).get(write_url(session).lower(), headers=HTMX).status_code == 200


# --- The teacher's desk --------------------------------------------------------------------


def test_only_the_teacher_of_the_class_reads_the_desk_and_decides(desk: ClassSession, tess: User) -> None:
    key = find_sheet(desk, desk.texts.filter(seat=None)[0]).key
    others = {
        "teacher": sign_in(make_user("tim", TEACHER)),
        "administrator": sign_in(make_user("root", ADMINISTRATOR)),
        "moderator": sign_in(make_user("mo", MODERATOR)),
        "player": sign_in(User.objects.create(username="pat")),
        "student": sit(desk.seats.all()[0]),
        "nobody": Client(),
    }
    codes = {
        name: (client.get(texts_url(desk)).status_code, client.post(texts_url(desk), {"approve": key}).status_code)
        for name, client in others.items()
    }
    assert codes == {
        "teacher": (404, 404),
        "administrator": (404, 404),
        "moderator": (403, 403),
        "player": (403, 403),
        "student": (302, 302),
        "nobody": (302, 302),
    }
    assert not desk.texts.exclude(status="pending").exists()
    assert sign_in(tess).post(texts_url(desk), {"approve": key}).status_code == 200
    assert desk.texts.get(status="approved").seat is None


def test_a_class_that_does_not_write_has_no_desk(tess: User, category: Category, now: datetime) -> None:
    session = hold_writing(category, now=now, teacher=tess)
    ClassSession.objects.filter(pk=session.pk).update(mode="live")
    assert sign_in(tess).get(texts_url(session)).status_code == 404


def test_no_byte_of_the_desk_but_the_text_depends_on_who_wrote_it(desk: ClassSession, tess: User) -> None:
    client = sign_in(tess)
    client.get(texts_url(desk))
    pages: dict[str, list[str]] = {}
    for text in desk.texts.all():
        sheet = find_sheet(desk, text)
        page = client.get(texts_url(desk), {"at": sheet.key}, headers=HTMX).content.decode()
        assert page.count("</article>") == 1
        # Its place, its key, those of its neighbours and what leads to them depend on the key alone.
        page = page.replace(unescape(sheet.body), "TEXT").replace(sheet.body.replace("'", "&#x27;").replace('"', "&quot;"), "TEXT")
        page = re.sub(r"[0-9a-f]{22}", "KEY", page)
        page = re.sub(r'<a class="desk__act".*?</a>', "", page)
        page = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)
        pages.setdefault(re.sub(r"Text \d+", "Text N", page).replace("\n", "").replace(" ", ""), []).append(text.kind)
    assert len(pages) == 1
    (kinds,) = pages.values()
    assert set(kinds) == {"human", "machine"}


def test_keys_decide_one_text_after_the_other_and_take_back_in_turn(desk: ClassSession, tess: User) -> None:
    client = sign_in(tess)

    def read(response: Any) -> tuple[str, str, str]:
        page = response.content.decode()
        trail = re.search(r'name="trail" value="([\w,]*)"', page)
        assert trail
        key = re.search(r'name="approve" value="(\w+)"', page)
        facts = re.search(r"(Text \d+ of \d+|All \d+ are read) \d+ approved, \d+ open", words(response))
        assert facts
        return key[1] if key else "", trail[1], facts[0]

    key, trail, facts = read(client.get(texts_url(desk), headers=HTMX))
    seen = [facts]
    keys = [key]
    for decision in ("approve", "reject", "approve"):
        key, trail, facts = read(client.post(texts_url(desk), {decision: key, "trail": trail}, headers=HTMX))
        seen.append(facts)
        keys.append(key)
    assert seen == [
        "Text 1 of 9 0 approved, 9 open",
        "Text 2 of 9 1 approved, 8 open",
        "Text 3 of 9 1 approved, 7 open",
        "Text 4 of 9 2 approved, 6 open",
    ]
    assert trail == ",".join(keys[:3])
    undone = []
    for _ in range(3):
        key, trail, facts = read(client.post(texts_url(desk), {"undo": "", "trail": trail}, headers=HTMX))
        undone.append((key, facts))
    assert undone == [
        (keys[2], "Text 3 of 9 1 approved, 7 open"),
        (keys[1], "Text 2 of 9 1 approved, 8 open"),
        (keys[0], "Text 1 of 9 0 approved, 9 open"),
    ]
    assert trail == ""
    assert not desk.texts.exclude(status="pending").exists()


def test_when_all_are_read_they_are_listed_with_what_was_decided(desk: ClassSession, tess: User) -> None:
    approve_all(desk)
    one = find_sheet(desk, desk.texts.all()[0])
    client = sign_in(tess)
    client.post(texts_url(desk), {"reject": one.key}, headers=HTMX)
    said = words(client.get(texts_url(desk), headers=HTMX))
    assert "All 9 are read 8 approved, 0 open" in said
    assert said.count("Approved") == 8
    assert said.count("Rejected") == 1
    again = words(client.get(texts_url(desk), {"at": one.key}, headers=HTMX))
    assert "Rejected so far." in again


def test_a_text_that_names_a_classmate_is_flagged(
    session: ClassSession, tess: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    ClassSession.objects.filter(pk=session.pk).update(typed_names=True)
    held, seats = reach_desk(session, monkeypatch, now=now)
    Seat.objects.filter(pk=seats[0].pk).update(name="Kim")
    client = sign_in(tess)
    client.get(texts_url(held), headers=HTMX)
    text = held.texts.get(seat=seats[1])
    ClassText.objects.filter(pk=text.pk).update(body=f"{PROMPT} all laugh at kim, who is slow.")
    text.refresh_from_db()
    said = words(client.get(texts_url(held), {"at": find_sheet(held, text).key}, headers=HTMX))
    assert "Names Kim, who is in the class" in said


def test_the_desk_says_that_it_waits_for_the_bot(session: ClassSession, tess: User, now: datetime) -> None:
    seats = seat(session, 2, now=now)
    moved = press(session, "start", now=now)
    client = sign_in(tess)
    assert "They are still writing." in words(client.get(texts_url(session), headers=HTMX))
    write_texts(seats, now=now)
    press(moved, "next", now=now)
    page = client.get(texts_url(session), headers=HTMX)
    assert "The bot is still writing. Its texts come with those of the class, 2 so far," in words(page)
    assert 'hx-trigger="every 3s"' in page.content.decode()
    assert "snail" not in words(page)


def test_going_on_deals_the_cards_once_however_often_it_is_pressed(desk: ClassSession, tess: User) -> None:
    approve_all(desk)
    client = sign_in(tess)
    pages = [words(client.post(texts_url(desk), {"deal": ""}, headers=HTMX)) for _ in range(2)]
    assert all(page.startswith("The cards are dealt.") for page in pages)
    found = find_session(desk.code)
    assert found
    assert (found.phase, found.position) == ("card", 1)


def test_going_on_without_a_text_of_each_kind_is_refused_in_a_sentence(desk: ClassSession, tess: User) -> None:
    client = sign_in(tess)
    client.get(texts_url(desk), headers=HTMX)
    desk.texts.filter(seat=None).update(status="approved")
    said = words(client.post(texts_url(desk), {"deal": ""}, headers=HTMX))
    assert "There must be a text of the class and one of a bot among those you approve. Approve some more." in said
    found = find_session(desk.code)
    assert found
    assert (found.phase, found.cards.count()) == ("choosing", 0)


def test_the_desk_is_a_page_of_its_own_without_scripts(desk: ClassSession, tess: User) -> None:
    page = sign_in(tess).get(texts_url(desk)).content.decode()
    assert "<!doctype html>" in page
    assert page.count('id="desk"') == 1
    assert f'action="{texts_url(desk)}"' in page


def test_a_teacher_who_presses_too_often_is_told_to_wait(desk: ClassSession, tess: User) -> None:
    client = sign_in(tess)
    with override_settings(RATE_CLASS="1/h"):
        assert [client.post(texts_url(desk), {"undo": ""}, headers=HTMX).status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("path", ["write", "texts"])
def test_other_methods_are_refused(session: ClassSession, tess: User, now: datetime, path: str) -> None:
    (ada,) = seat(session, 1, now=now)
    client = sit(ada) if path == "write" else sign_in(tess)
    assert client.put(f"/class/{session.code}/{path}/").status_code == 405


def test_forged_forms_are_refused(desk: ClassSession, tess: User, fill: Callable[..., Category]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(tess)
    assert client.post(texts_url(desk), {"deal": ""}, headers=HTMX).status_code == 403
