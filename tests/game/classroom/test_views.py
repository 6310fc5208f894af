"""A student's page, phase by phase, and what stands in for a websocket: to whom it opens, and that it tells nothing too early."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from game.classroom.frames import student_frames
from game.classroom.identity import remember_seat
from game.classroom.models import Answer, ClassSession, Seat
from game.classroom.selectors import find_session
from game.classroom.services import kick
from game.pool.models import Author, Category, Tweet
from tests.game.classroom.classes import hold_class, on_table, press, say, seat

OTHER = {"human": "machine", "machine": "human"}
WORDS = {"human": ("Human", "person"), "machine": ("Bot", "bot")}


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def session(category: Category, now: datetime) -> ClassSession:
    return hold_class([category], now=now)


def sit(client: Client, own: Seat) -> None:
    """Give a browser the cookie of a seat."""
    response = HttpResponse()
    remember_seat(response, {}, own.session.code, own.token)
    client.cookies.update(response.cookies)


@pytest.fixture
def students(session: ClassSession, ada: Client, now: datetime) -> list[Seat]:
    """Seat three students, the first of them at Ada's browser."""
    seats = seat(session, 3, now=now)
    sit(ada, seats[0])
    return seats


def page(client: Client, session: ClassSession, part: str = "") -> str:
    response = client.get(f"/class/{session.code}/{part}")
    assert response.status_code == 200
    return response.content.decode()


def mine(html: str) -> str:
    """Return the words of a seat's own part."""
    found = re.findall(r'<div id="mine"[^>]*>(.*?)</div>', html, re.DOTALL)[-1]
    return " ".join(re.sub(r"<[^>]+>", " ", found).split())


def answer(client: Client, session: ClassSession, verdict: str, card: str = "") -> Any:
    return client.post(f"/class/{session.code}/answer/", {"card": card or on_table(session).token, "verdict": verdict})


def trouble(response: Any) -> str:
    """Return the code of what a frame says is wrong: the last word on it counts."""
    return re.findall(r'id="trouble"[^>]* data-code="([^"]*)"', response.content.decode())[-1]


def test_each_phase_is_a_page_and_a_frame(ada: Client, session: ClassSession, students: list[Seat], now: datetime) -> None:
    def phase() -> str:
        html, frame = page(ada, session), page(ada, session, "state/")
        shown = set(re.findall(r'id="stage"[^>]* data-phase="(\w+)"', html + frame))
        assert len(shown) == 1
        assert html.count('id="mine"') == html.count('id="stage"') == html.count('id="clock"') == html.count('id="trouble"') == 1
        assert mine(html) == mine(frame)
        return shown.pop()

    assert (phase(), "You are in. Look at the board." in page(ada, session)) == ("lobby", True)
    session = press(session, "start", now=now)
    assert (phase(), mine(page(ada, session))) == ("card", "Who wrote this?")
    card = on_table(session)
    assert card.tweet
    assert card.tweet.text in page(ada, session)
    wrong = OTHER[card.kind]
    say(session, (students[0], wrong), (students[1], card.kind), now=now)
    assert (phase(), mine(page(ada, session))) == ("card", f"You said {WORDS[wrong][0]}.")
    session = press(session, "next", now=now)
    said, was = WORDS[wrong][0], WORDS[card.kind][1]
    assert (phase(), mine(page(ada, session))) == ("reveal", f"Wrong. You said {said}. It was a {was}.")
    assert f'<p class="stamp stamp--{card.kind}">' in page(ada, session)
    session = press(session, "next", now=now)
    assert (phase(), mine(page(ada, session))) == ("standings", "You are second of 3. 0 points, 0 of 1 right.")
    session = press(session, "end", now=now)
    assert (phase(), mine(page(ada, session))) == ("podium", "You are second of 3. 0 points, 0 of 1 right.")
    assert "The class is over." in page(ada, session)


def test_the_reveal_tells_points_and_who_said_nothing(ada: Client, session: ClassSession, students: list[Seat], now: datetime) -> None:
    session = press(session, "start", now=now)
    kind = on_table(session).kind
    say(session, (students[0], kind), now=now)
    session = press(session, "next", now=now)
    was = WORDS[kind][1]
    assert mine(page(ada, session)) == f"Right. +100 points You said {WORDS[kind][0]}. It was a {was}."
    late = Client()
    sit(late, students[2])
    assert mine(page(late, session)) == f"No answer from you. It was a {was}."


def test_standings_that_are_never_shown_are_not_on_the_podium(ada: Client, category: Category, now: datetime) -> None:
    session = hold_class([category], now=now, show="never")
    (own,) = seat(session, 1, now=now)
    sit(ada, own)
    press(session, "start", "end", now=now)
    assert mine(page(ada, session)) == "Thank you for playing."


def test_after_a_class_that_ended_in_the_lobby_nobody_is_first(
    ada: Client, session: ClassSession, students: list[Seat], now: datetime
) -> None:
    press(session, "end", now=now)
    html = page(ada, session)
    assert "The class is over." in html
    assert mine(html) == ""


def test_a_paused_card_says_so_and_its_clock_stands(ada: Client, session: ClassSession, students: list[Seat], now: datetime) -> None:
    press(session, "start", "pause", now=now)
    html = page(ada, session)
    assert "Paused. You may still answer." in html
    assert re.search(r'id="clock"[^>]* data-left="20000" data-given="20000" data-running="false"', html)


def test_a_card_whose_tweet_has_left_the_game_shows_none_of_it(
    ada: Client, session: ClassSession, students: list[Seat], now: datetime
) -> None:
    session = press(session, "start", now=now)
    tweet = on_table(session).tweet
    assert tweet
    Tweet.objects.filter(pk=tweet.pk).update(status="withdrawn")
    html = page(ada, session)
    assert tweet.text not in html
    assert "This tweet has been withdrawn." in html


def test_who_has_no_seat_is_led_to_the_door_and_answers_nothing(
    mallory: Client, session: ClassSession, students: list[Seat], now: datetime
) -> None:
    session = press(session, "start", now=now)
    other = hold_class([on_table(session).tweet.category], now=now, seed=2)  # type: ignore[union-attr]
    (elsewhere,) = seat(other, 1, now=now)
    for _ in ("no seat at all", "one of another class"):
        assert mallory.get(f"/class/{session.code}/")["Location"] == f"/join/{session.code}/"
        assert mallory.get(f"/class/{session.code}/state/").status_code == 403
        assert answer(mallory, session, "human").status_code == 403
        sit(mallory, elsewhere)
    mallory.cookies["seat"] = f"{session.code}:{students[0].token}"
    assert mallory.get(f"/class/{session.code}/")["Location"] == f"/join/{session.code}/"
    assert not Answer.objects.exists()


def test_who_was_sent_out_is_told_and_answers_nothing(ada: Client, session: ClassSession, students: list[Seat], now: datetime) -> None:
    session = press(session, "start", now=now)
    kick(seat=students[0], now=now)
    for response in (ada.get(f"/class/{session.code}/"), ada.get(f"/class/{session.code}/state/"), answer(ada, session, "human")):
        assert response.status_code == 403
        assert "Your seat is gone." in response.content.decode()
    assert not Answer.objects.exists()


def test_the_first_answer_counts_whichever_way_it_comes(ada: Client, session: ClassSession, students: list[Seat], now: datetime) -> None:
    session = press(session, "start", now=now)
    for verdict in ("human", "machine"):
        response = answer(ada, session, verdict)
        assert (response.status_code, mine(response.content.decode()), trouble(response)) == (200, "You said Human.", "")
    (stored,) = Answer.objects.all()
    assert (stored.seat, stored.card, stored.verdict) == (students[0], on_table(session), "human")


def test_the_last_answer_turns_the_card_and_brings_the_reveal(
    ada: Client, session: ClassSession, students: list[Seat], now: datetime
) -> None:
    session = press(session, "start", now=now)
    say(session, *((other, "human") for other in students[1:]), now=now)
    assert 'data-phase="reveal"' in answer(ada, session, "human").content.decode()


def test_an_answer_that_does_not_count_is_told_by_its_code(ada: Client, session: ClassSession, students: list[Seat], now: datetime) -> None:
    session = press(session, "start", now=now)
    first, second = session.cards.all()[:2]
    assert trouble(answer(ada, session, "human", "a" * 22)) == "wrong-card"
    assert trouble(answer(ada, session, "human", second.token)) == "wrong-card"
    press(session, "next", now=now)
    late = answer(ada, session, "human", first.token)
    assert (trouble(late), "Time was up before your answer came in." in late.content.decode()) == ("late", True)
    assert not Answer.objects.exists()


@pytest.mark.parametrize("said", [{}, {"verdict": "human"}, {"card": "a" * 22, "verdict": "bird"}, {"card": "../etc", "verdict": "human"}])
def test_what_is_no_answer_is_refused(
    ada: Client, session: ClassSession, students: list[Seat], now: datetime, said: dict[str, str]
) -> None:
    press(session, "start", now=now)
    assert ada.post(f"/class/{session.code}/answer/", said).status_code == 400


def test_answers_are_posted_from_our_own_pages_and_not_too_often(
    ada: Client, session: ClassSession, students: list[Seat], now: datetime, settings: Any
) -> None:
    session = press(session, "start", now=now)
    assert ada.get(f"/class/{session.code}/answer/").status_code == 405
    forged = Client(enforce_csrf_checks=True)
    sit(forged, students[0])
    assert answer(forged, session, "human").status_code == 403
    settings.RATE_ANSWER = "1/m"
    assert [answer(ada, session, "human").status_code for _ in range(2)] == [200, 429]


def test_whoever_asks_first_after_the_deadline_moves_the_class_on(ada: Client, category: Category, now: datetime) -> None:
    session = hold_class([category], now=now)
    sit(ada, seat(session, 1, now=now)[0])
    for path, action in (("", "start"), ("state/", "next")):
        while session.phase != "card":
            session = press(session, action, now=now)
        ClassSession.objects.filter(pk=session.pk).update(deadline=timezone.now() - timedelta(seconds=2))
        assert 'data-phase="reveal"' in page(ada, session, path)
        found = find_session(session.code)
        assert found
        session = found
        assert session.phase == "reveal"


def test_at_ones_own_pace_the_page_is_that_of_the_pace(ada: Client, mallory: Client, category: Category, now: datetime) -> None:
    session = hold_class([category], now=now, mode="homework", card_time=None, deadline=now + timedelta(days=1))
    sit(ada, seat(session, 1, now=now)[0])
    response = ada.get(f"/class/{session.code}/")
    assert "classroom/pace/table.html" in [template.name for template in response.templates]
    assert mallory.get(f"/class/{session.code}/")["Location"] == f"/join/{session.code}/"
    # There is nothing live to ask for.
    assert ada.get(f"/class/{session.code}/state/").status_code == 404


def unveil(html: str) -> str:
    """Return a page or a frame without what is different each time it is asked for."""
    return re.sub(r'value="\w{64}"|"X-CSRFToken": "\w+"|data-left="\d+"', "", html)


def test_no_byte_before_the_reveal_hangs_on_the_truth(ada: Client, session: ClassSession, students: list[Seat], now: datetime) -> None:
    """The same card, its tweet once by a person and once by a model: everything else is the same."""
    session = press(session, "start", now=now)
    card = on_table(session)
    person, model = (Author.objects.get(kind=kind) for kind in ("human", "machine"))

    def seen() -> list[Any]:
        frames = student_frames(session=session)
        responses = [ada.get(f"/class/{session.code}/{part}") for part in ("", "state/")]
        assert "You said Human." in frames.personal[students[0].token]
        return [
            frames.shared,
            dict(frames.personal),
            *(unveil(response.content.decode()) for response in responses),
            *({name: value for name, value in response.items() if name not in ("Content-Length", "Expires")} for response in responses),
            unveil(answer(ada, session, "human").content.decode()),
        ]

    say(session, (students[0], "human"), now=now)
    both = []
    for author, facts, posted in ((person, {"likes": 7}, now), (model, {"model": "tiny", "temperature": 1.0}, None)):
        Tweet.objects.filter(pk=card.tweet_id or 0).update(author=author, kind=author.kind, facts=facts, posted_at=posted)
        both.append(seen())
    assert both[0] == both[1]
    # What is compared is not nothing: the truth, once it may be seen, is.
    session = press(session, "next", now=now)
    revealed = student_frames(session=session).shared
    assert 'stamp--machine"' in revealed
    assert revealed != both[1][0]


@pytest.mark.parametrize("actions", [["start"], ["start", "next"], ["start", "next", "next"]], ids=["card", "reveal", "standings"])
def test_a_page_costs_as_much_in_a_full_class_as_in_an_empty_one(
    ada: Client, fill: Callable[..., Category], now: datetime, actions: list[str]
) -> None:
    session = hold_class([fill()], now=now)
    sit(ada, seat(session, 1, now=now)[0])
    session = press(session, *actions, now=now)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            page(ada, session)
        return len(queries)

    before = count()
    seat(session, 20, now=now)
    assert count() == before
