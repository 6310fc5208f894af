"""Classes to drive: made in the shell of a running game, by its own services."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import psycopg

from bench.classroom.losses import Stored
from bench.classroom.room import Pass
from bench.client import Player
from bench.report import NotMeasured
from tests.stack import Stack

TEACHER, PASSWORD = "bench-teacher", "a bench needs no secret"
_TEACHER = """
from django.contrib.auth.models import Group, User
User.objects.create_user({!r}, password={!r}).groups.add(Group.objects.get(name="teacher"))
"""
_STORED = """
    SELECT s.token, c.token, a.verdict
      FROM classroom_answer a JOIN classroom_seat s ON s.id = a.seat_id JOIN classroom_classcard c ON c.id = a.card_id
      JOIN classroom_classsession l ON l.id = s.session_id
     WHERE l.code = %s
"""
_KINDS = """
    SELECT c.token, w.kind
      FROM classroom_classcard c JOIN pool_tweet t ON t.id = c.tweet_id JOIN pool_author w ON w.id = t.author_id
      JOIN classroom_classsession l ON l.id = c.session_id
     WHERE l.code = %s
"""


@dataclass(frozen=True, slots=True)
class MadeClass:
    """A class in its lobby: its code, and who sits in it."""

    code: str
    seats: list[Pass]


def add_teacher(stack: Stack) -> Player:
    """Add a teacher to a running game, and sign in."""
    stack.manage("shell", "-c", _TEACHER.format(TEACHER, PASSWORD))
    teacher = Player(stack.port)
    teacher.get("/account/sign-in/")
    status, _ = teacher.post("/account/sign-in/", {"username": TEACHER, "password": PASSWORD})
    if status != 302:
        raise NotMeasured(f"The teacher's signing in was answered with {status}.")
    return teacher


def add_class(stack: Stack, *, category: str, seats: int, cards: int) -> MadeClass:
    """Make a class of the teacher's, with so many seats taken."""
    code = f"from bench.classroom.setup import print_class\nprint_class({category!r}, {seats}, {cards})"
    made = json.loads(stack.manage("shell", "-c", code))
    return MadeClass(made["code"], [Pass(token, f"seat={cookie}") for token, cookie in made["seats"]])


def print_class(category: str, seats: int, cards: int) -> None:
    """Make a class, and print its code, and the token and the cookie of each seat."""
    from django.contrib.auth.models import User
    from django.http import HttpResponse
    from django.utils import timezone

    from game.classroom.identity import COOKIE, remember_seat
    from game.classroom.models import ClassSession, Seat
    from game.classroom.rules import Show, new_code
    from game.classroom.services import create_session
    from game.pool.models import Category

    rng = Random()
    session = create_session(
        teacher=User.objects.get(username=TEACHER),
        mode=ClassSession.Mode.LIVE,
        title="Bench",
        categories=[Category.objects.get(slug=category)],
        cards=cards,
        card_time=timedelta(minutes=5),
        speed_points=False,
        show=Show.EACH,
        late_join=True,
        typed_names=False,
        keep_days=1,
        now=timezone.now(),
        rng=rng,
    )
    codes: set[str] = set()
    while len(codes) < seats:
        codes.add(new_code(rng))
    made = Seat.objects.bulk_create(Seat(session=session, code=code, name=f"Sleepy Owl {number}") for number, code in enumerate(codes))
    passes = []
    for seat in made:
        response = HttpResponse()
        remember_seat(response, {}, session.code, seat.token)
        passes.append((seat.token, response.cookies[COOKIE].value))
    print(json.dumps({"code": session.code, "seats": passes}))


def read_answers(connection: psycopg.Connection, code: str) -> tuple[Sequence[Stored], dict[str, str]]:
    """Return a class's answers as they are stored, and who wrote what is on each of its cards."""
    return connection.execute(_STORED, [code]).fetchall(), dict(connection.execute(_KINDS, [code]).fetchall())
