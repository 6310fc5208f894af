"""The teacher's pages of a class: what they show, what they never show too early, and whom they refuse."""

import re
from datetime import datetime, timedelta
from io import BytesIO

import pytest
import segno
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from game.accounts.roles import TEACHER
from game.classroom.models import ClassSession
from game.classroom.rules import Phase
from game.classroom.selectors import find_session
from game.pool.models import Category
from tests.game.classroom.classes import hold_class, on_table, press, say, seat, withdraw
from tests.people import client_of

VIEWS = ["host", "presenter"]


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def tess(db: None) -> Client:
    """Return the browser of the teacher whose classes hold_class makes."""
    user = User.objects.create(username="teacher")
    user.groups.add(Group.objects.get(name=TEACHER))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def theo(db: None) -> Client:
    """Return the browser of another teacher, who must be refused what is Tess's."""
    user = User.objects.create(username="theo")
    user.groups.add(Group.objects.get(name=TEACHER))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def session(tess: Client, category: Category, now: datetime) -> ClassSession:
    return hold_class([category], now=now)


def page(client: Client, session: ClassSession, view: str = "host") -> str:
    response = client.get(f"/class/{session.code}/{view}/")
    assert response.status_code == 200
    return response.content.decode()


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def act(client: Client, session: ClassSession, action: str, version: object = None, **more: str) -> int:
    data = {"action": action, "version": session.version if version is None else version, "view": "host", **more}
    return client.post(f"/class/{session.code}/act/", data).status_code


def again(session: ClassSession) -> ClassSession:
    found = find_session(session.code)
    assert found
    return found


@pytest.mark.parametrize("part", ["host/", "presenter/", "act/", "kick/"])
def test_a_class_opens_to_its_own_teacher_alone(session: ClassSession, theo: Client, part: str) -> None:
    path = f"/class/{session.code}/{part}"
    ways = ["post"] if part in ("act/", "kick/") else ["get"]
    for way in ways:
        assert getattr(theo, way)(path, {"action": "start", "version": "0"}).status_code == 404
        assert getattr(client_of("anonymous"), way)(path)["Location"].startswith("/account/sign-in/?next=")
        assert getattr(client_of("player"), way)(path).status_code == 403
    assert again(session).version == 0


def test_one_who_teaches_no_more_is_refused(session: ClassSession, tess: Client) -> None:
    User.objects.get(username="teacher").groups.clear()
    assert tess.get(f"/class/{session.code}/host/").status_code == 403


def test_the_list_holds_ones_own_classes_the_newest_first(
    session: ClassSession, category: Category, tess: Client, theo: Client, now: datetime
) -> None:
    seat(session, 3, now=now)
    hold_class([category], now=now, title="9a", cards=5)
    press(again(session), "end", now=now)
    listed = [
        words(part) for part in re.findall(r'<li class="card class-line">(.*?)</li>', tess.get("/class/").content.decode(), re.DOTALL)
    ]
    assert [line.split()[0] for line in listed] == ["9a", "8b"]
    assert "Not begun Live · 5 cards · 0 students" in listed[0]
    assert "Over Live · 4 cards · 3 students" in listed[1]
    assert "Projector" in listed[0]
    assert "Projector" not in listed[1]
    assert "No class yet." in theo.get("/class/").content.decode()


def test_the_list_asks_no_more_for_many_classes(category: Category, tess: Client, now: datetime) -> None:
    counts = []
    for _ in range(2):
        hold_class([category], now=now)
        with CaptureQueriesContext(connection) as queries:
            tess.get("/class/")
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("view", VIEWS)
def test_a_code_in_small_letters_leads_to_the_class(session: ClassSession, tess: Client, view: str) -> None:
    assert tess.get(f"/class/{session.code.lower()}/{view}/")["Location"] == f"/class/{session.code}/{view}/"


def test_a_button_moves_the_class_on_once_however_often_it_is_pressed(session: ClassSession, tess: Client) -> None:
    assert [act(tess, session, "start", version=0) for _ in range(3)] == [302] * 3
    assert (again(session).phase, again(session).version) == (Phase.CARD, 1)


@pytest.mark.parametrize(("action", "version"), [("next", 0), ("start", 5), ("start", ""), ("start", "x" * 9), ("expire", 0), ("dance", 0)])
def test_what_is_late_illegal_or_nonsense_does_nothing(session: ClassSession, tess: Client, action: str, version: object) -> None:
    assert act(tess, session, action, version=version) == 302
    assert (again(session).phase, again(session).version) == (Phase.LOBBY, 0)


def test_buttons_lead_back_to_the_page_that_they_are_on(session: ClassSession, tess: Client) -> None:
    path = f"/class/{session.code}/"
    assert tess.post(f"{path}act/", {"action": "lock", "version": 0, "view": "presenter"})["Location"] == f"{path}presenter/"
    assert tess.post(f"{path}act/", {"action": "unlock", "version": 1, "view": "host"})["Location"] == f"{path}host/"
    assert tess.post(f"{path}act/", {"action": "lock", "version": 2}, headers={"HX-Request": "true"}).status_code == 204


def test_a_button_without_the_token_of_its_form_is_refused(session: ClassSession) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="teacher"))
    assert act(client, session, "start") == 403
    client.get(f"/class/{session.code}/host/")
    assert act(client, session, "start", csrfmiddlewaretoken=client.cookies["csrftoken"].value) == 302
    assert again(session).phase == Phase.CARD


def test_too_much_pressing_is_slowed_down(session: ClassSession, tess: Client, settings: object) -> None:
    settings.RATE_CLASS = "2/m"  # type: ignore[attr-defined]
    assert [act(tess, session, "lock") for _ in range(3)] == [302, 302, 429]


@pytest.mark.parametrize("view", VIEWS)
def test_the_first_look_after_the_deadline_turns_the_card(session: ClassSession, tess: Client, now: datetime, view: str) -> None:
    press(session, "start", now=now - timedelta(minutes=1))
    assert 'data-phase="reveal"' in page(tess, session, view)
    assert again(session).phase == Phase.REVEAL


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_on_the_page_hangs_on_the_truth_before_the_reveal(category: Category, tess: Client, now: datetime, view: str) -> None:
    shown = []
    for kind in ("human", "machine"):
        session = hold_class([category], now=now, card_time=None)
        students = seat(session, 3, now=now)
        session = press(session, "start", now=now)
        tweet = category.tweets.filter(kind=kind, split="play").earliest("pk")
        session.cards.filter(position=1).update(tweet=tweet)
        say(session, (students[0], "human"), (students[1], "machine"), now=now)
        html = page(tess, session, view)
        assert tweet.text in html
        # What differs from card to card and from class to class, whoever wrote it.
        for private in (tweet.text, session.code, on_table(session).token):
            html = html.replace(private, "")
        seats = r'id="seat-\d+"|name="seat" value="\d+"'
        forms = r'name="csrfmiddlewaretoken" value="\w+"|"X-CSRFToken": "\w+"|aria-label="Code [^"]*"'
        shown.append(re.sub(f"{seats}|{forms}", "", html))
    assert shown[0] == shown[1]


@pytest.mark.parametrize("view", VIEWS)
def test_votes_are_a_count_until_the_reveal_and_a_split_after_it(session: ClassSession, tess: Client, now: datetime, view: str) -> None:
    students = seat(session, 4, now=now)
    session = press(session, "start", now=now)
    say(session, (students[0], "human"), (students[1], "machine"), (students[2], "machine"), now=now)
    before = words(page(tess, session, view))
    assert "3 of 4 answered" in before
    assert "2 Bot" not in before
    kind = on_table(session).kind
    press(again(session), "next", now=now)
    after = words(page(tess, session, view))
    assert "1 Human 2 Bot" in after
    assert ("Ada Spade" if kind == "human" else "A GPT-2 trained on Gardeners") in after


def test_a_tweet_that_has_left_the_game_is_shown_no_more(session: ClassSession, tess: Client, now: datetime) -> None:
    session = press(session, "start", now=now)
    card = on_table(session)
    text = card.body
    withdraw(card)
    for view in VIEWS:
        html = page(tess, session, view)
        assert "This tweet has been withdrawn." in html
        assert text not in html


def test_a_skipped_card_is_said_to_be_left_out(session: ClassSession, tess: Client, now: datetime) -> None:
    press(session, "start", "skip", now=now)
    assert "Card 2 of 4 Card 1 was left out." in words(page(tess, session))


@pytest.mark.parametrize("show", ["each", "end", "never"])
def test_standings_are_shown_when_the_teacher_chose(category: Category, tess: Client, now: datetime, show: str) -> None:
    session = hold_class([category], now=now, show=show, cards=3)
    first, second = seat(session, 2, now=now)
    session = press(session, "start", now=now)
    kind = on_table(session).kind
    say(session, (first, kind), (second, "human" if kind == "machine" else "machine"), now=now)
    session = press(again(session), "next", now=now)
    if show == "each":
        board = words(page(tess, session))
        assert f"1 {first.name} 1 right 100" in board
        assert board.index(first.name) < board.index(second.name)
    else:
        assert session.phase == Phase.CARD
    press(again(session), "end", now=now)
    podium = words(page(tess, session))
    assert (f"{first.name} 100 points 1 of 1 right Rank 1" in podium) == (show != "never")
    assert ("That was the class" in podium) == (show == "never")
    assert f'href="/class/{session.code}/results/"' in page(tess, session)


def test_a_class_that_ends_before_its_first_card_has_no_best(category: Category, tess: Client, now: datetime) -> None:
    session = hold_class([category], now=now)
    seat(session, 1, now=now)
    press(session, "end", now=now)
    for view in VIEWS:
        html = page(tess, session, view)
        assert 'class="podium' not in html
        assert 'class="places"' not in html
    podium = words(page(tess, session))
    assert "The class is over" in podium
    assert "0 cards" not in podium


def test_where_nobody_was_right_nobody_has_a_place(category: Category, tess: Client, now: datetime) -> None:
    session = hold_class([category], now=now)
    ada, _ = seat(session, 2, now=now)
    session = press(session, "start", now=now)
    say(session, (ada, "human" if on_table(session).kind == "machine" else "machine"), now=now)
    press(again(session), "end", now=now)
    html = page(tess, session)
    assert 'class="podium' not in html
    assert "1 card, 2 students. Thank you for playing." in words(html)
    assert '<td class="students__rank">1</td>' not in tess.get(f"/class/{session.code}/results/").content.decode()


def test_the_presenter_tells_which_class_it_is(category: Category, tess: Client, now: datetime) -> None:
    session = hold_class([category], now=now, title="Second lesson, 8b")
    assert f"{session.code} Second lesson, 8b" in words(page(tess, session, "presenter"))


def test_of_a_thousand_students_the_page_names_the_latest(session: ClassSession, tess: Client, now: datetime) -> None:
    students = seat(session, 70, now=now)
    html = page(tess, session)
    assert "<strong>70</strong> are here" in html
    assert re.findall(r'id="seat-(\d+)"', html) == [str(student.pk) for student in students[-30:]]
    html = page(tess, session, "presenter")
    assert re.findall(r'id="seat-(\d+)"', html) == [str(student.pk) for student in reversed(students[-60:])]
    assert re.findall(r'id="all-(\d+)"', html) == []
    html = tess.get(f"/class/{session.code}/presenter/?names=all").content.decode()
    assert re.findall(r'id="all-(\d+)"', html) == [str(student.pk) for student in reversed(students)]


def test_no_page_tells_what_a_seat_is_known_by(session: ClassSession, tess: Client, now: datetime) -> None:
    (student,) = seat(session, 1, now=now)
    for view in VIEWS:
        html = page(tess, session, view)
        assert student.name in html
        assert student.token not in html


def test_a_student_is_sent_out_by_their_own_teacher_alone(
    session: ClassSession, category: Category, tess: Client, theo: Client, now: datetime
) -> None:
    first, second = seat(session, 2, now=now)
    other = hold_class([category], now=now)
    assert theo.post(f"/class/{session.code}/kick/", {"seat": first.pk}).status_code == 404
    # A seat of another class is none of this one.
    for wrong in (first.pk, "", "x", "9" * 30):
        code = other.code if wrong == first.pk else session.code
        assert tess.post(f"/class/{code}/kick/", {"seat": wrong})["Location"] == f"/class/{code}/presenter/"
    assert session.seats.filter(kicked_at=None).count() == 2
    assert tess.post(f"/class/{session.code}/kick/", {"seat": first.pk}).status_code == 302
    assert list(session.seats.filter(kicked_at=None)) == [second]


@pytest.mark.parametrize(("query", "path"), [("", "/join/BCDFGH/"), ("?to=presenter", "/class/BCDFGH/presenter/")])
def test_the_qr_code_is_a_picture_of_an_address_whoever_asks(db: None, query: str, path: str) -> None:
    drawn = client_of("anonymous").get(f"/class/BCDFGH/qr.svg{query}")
    assert drawn.headers["Content-Type"] == "image/svg+xml"
    expected = BytesIO()
    segno.make(f"http://testserver{path}", error="m", micro=False).save(expected, kind="svg", light="white", omitsize=True, xmldecl=False)
    assert drawn.content == expected.getvalue()
