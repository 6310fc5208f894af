"""How people go through homework and challenges: what tests of their pages begin with."""

import re
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from game.classroom.identity import COOKIE, read_seats
from game.classroom.models import ClassCard, ClassSession, Seat
from game.play.models import Round
from game.pool.models import Category, Status, Tweet
from tests.game.classroom.classes import hold_class

HTMX = {"HX-Request": "true"}
WEEK = timedelta(days=7)


def homework(category: Category, **chosen: Any) -> ClassSession:
    now = timezone.now()
    return hold_class([category], now=now, mode="homework", card_time=None, **{"deadline": now + WEEK, **chosen})


def sit(client: Client, session: ClassSession) -> Seat:
    """Join as a student does."""
    client.post(f"/join/{session.code}/", {"offered": "yes"})
    return Seat.objects.get(token=read_seats({COOKIE: client.cookies[COOKIE].value})[session.code])


def page_of(session: ClassSession) -> str:
    return f"/class/{session.code}/"


def token_in(response: Any) -> str:
    found = re.search(r'action="/class/\w+/pace/([\w-]{22})/"', response.content.decode())
    assert found, response.content.decode()
    return found[1]


def answer(client: Client, session: ClassSession, verdict: str = "human", **headers: Any) -> Any:
    """Answer the card on the table."""
    token = token_in(client.get(page_of(session)))
    return client.post(f"/class/{session.code}/pace/{token}/", {"verdict": verdict}, **headers)


def finish(client: Client, session: ClassSession, verdict: str = "human") -> str:
    """Answer every card, and return the result page."""
    while (response := client.get(page_of(session))) and 'class="answers"' in response.content.decode():
        answer(client, session, verdict)
    return str(response.content.decode())


def play_round(client: Client, category: Category) -> Round:
    """Play a whole round, guessing Human throughout."""
    for _ in range(10):
        (token,) = re.findall(r'action="/guess/([\w-]+)/"', client.get(f"/play/{category.slug}/").content.decode())
        client.post(f"/guess/{token}/", {"verdict": "human"}, headers=HTMX)
    return Round.objects.get(cards__token=token)


def dare(client: Client, round_: Round) -> ClassSession:
    """Make a challenge of a round."""
    response = client.post("/challenge/new/", {"round": round_.token})
    assert response.status_code == 302
    return ClassSession.objects.get(code=response["Location"].split("/")[2])


def withdraw(token: str) -> None:
    Tweet.objects.filter(pk__in=ClassCard.objects.filter(token=token).values("tweet")).update(status=Status.WITHDRAWN)
