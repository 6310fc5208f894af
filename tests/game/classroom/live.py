"""A class at the other end of websockets: what tests of its topics, its desk and its protocol begin with."""

import json
import re
from datetime import timedelta
from html.parser import HTMLParser

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from django.utils import timezone

from game.accounts.roles import TEACHER
from game.classroom.identity import COOKIE, remember_seat
from game.classroom.models import ClassSession, Seat
from game.pool.models import Category
from tests.game.classroom.classes import hold_class, press, seat
from tests.game.live.test_live import Browser, join


class Held:
    """A class that has begun, its students, and its card on the table."""

    def __init__(self, category: Category, students: int, silent: int = 1) -> None:
        now = timezone.now()
        session = hold_class([category], now=now, card_time=timedelta(minutes=5))
        # Some never answer: otherwise the card turns by itself.
        User.objects.get(username="teacher").groups.add(Group.objects.get(name=TEACHER))
        self.seats = seat(session, students + silent, now=now)
        self.session = press(session, "start", now=now)
        self.code = session.code

    @property
    def card(self) -> str:
        """Return the token of the card on the table."""
        return self.session.cards.get(position=self.session.position).token

    def press(self, *actions: str) -> None:
        """Press the teacher's buttons."""
        self.session = press(self.session, *actions, now=timezone.now())


async def hold(category: Category, students: int = 2, silent: int = 1) -> Held:
    """Return such a class."""
    return await sync_to_async(Held)(category, students, silent)


def cookie_of_seat(session: ClassSession, seat: Seat) -> str:
    """Return the cookie header of the browser that has this seat."""
    response = HttpResponse()
    remember_seat(response, {}, session.code, seat.token)
    return f"{COOKIE}={response.cookies[COOKIE].value}"


async def sit(session: ClassSession, seat: Seat) -> Browser:
    """Connect a student's page."""
    return await join(f"/live/class/{session.code}/", cookie=cookie_of_seat(session, seat))


async def answer(socket: Browser, card: str, verdict: str) -> None:
    """Send an answer, as the page does."""
    await send(socket, json.dumps({"type": "answer", "card": card, "verdict": verdict}))


async def send(socket: Browser, text: str) -> None:
    """Send a text frame."""
    await socket.send_input({"type": "websocket.receive", "text": text})


def data_of(frame: str, name: str) -> dict[str, str]:
    """Return the data attributes of the last element with an id of a frame."""
    tags = re.findall(rf'<[^>]*\bid="{name}"[^>]*>', frame)
    return dict(re.findall(r'\bdata-([\w-]+)="([^"]*)"', tags[-1])) if tags else {}


class _Tops(HTMLParser):
    """Collects the ids of the elements that are in no other."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self.depth:
            self.ids.append(dict(attrs).get("id") or tag)
        if tag not in ("img", "input", "br", "hr"):
            self.depth += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1


def ids_of(frame: str) -> list[str]:
    """Return the ids of what a frame replaces."""
    tops = _Tops()
    tops.feed(frame)
    assert tops.depth == 0
    return tops.ids
