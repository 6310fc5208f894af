"""class.*: a thousand students, their answers, and what they wait for."""

import asyncio
from collections.abc import Sequence
from random import Random
from statistics import median, quantiles

import psycopg
import uvloop

from bench.classroom.driver import Driver, Pace
from bench.classroom.losses import find_losses
from bench.classroom.room import Room
from bench.classroom.setup import add_class, add_teacher, read_answers
from bench.classroom.sides import Crowd, Side, Together
from bench.classroom.wire import Site
from bench.client import Player
from bench.game import empty_game
from bench.pool import fill_pool
from bench.report import Row
from tests.stack import Stack, free_port

APPLICATION = "bench.classroom.asgi:application"
SEATS, FEW = 1_000, 50
CATEGORY, TWEETS = "pool-class", 1_000
LIMITS = {"RATE_CLASS": "1000000/m"}
LOSSY_CARDS, CUT = 10, 0.2
# Cards whose showing, reveal and standings are timed: over a hundred, of which one is the 99th percentile. Before them, those that
# warm up.
TIMED_CARDS, WARM_UP = 34, 2
BURSTS = 20
# Answers a second in either class, how many in a turn, and turns.
RATE, TURN, TURNS = 100, 200, 10
# A room is shown at most twice in half a second; no host is so fast.
REST_SECONDS = 0.3


def measure() -> list[Row]:
    """Start a game with the floor's consumer beside it, and drive classes one after the other."""
    with empty_game() as stack:
        stack.env |= {"DJANGO_SETTINGS_MODULE": "bench.settings", **LIMITS}
        stack.manage("collectstatic", "--noinput", "--verbosity", "0")
        with stack.connect() as connection:
            fill_pool(connection, {CATEGORY: TWEETS})
            connection.execute("CREATE TABLE bench_answer (id bigserial PRIMARY KEY, card text NOT NULL, verdict text NOT NULL)")
            stack.start_web(APPLICATION)
            teacher = add_teacher(stack)
            return [
                _measure_losses(stack, connection, teacher),
                *uvloop.run(_measure_fanout(stack, teacher)),
                uvloop.run(_measure_answers(stack, teacher)),
                uvloop.run(_measure_growth(stack, teacher)),
            ]


def _make_room(stack: Stack, teacher: Player, *, seats: int, cards: int, silent: int = 0) -> Room:
    """Make a class with so many students, and some who sit in it but never come: without those it would turn its cards by itself."""
    made = add_class(stack, category=CATEGORY, seats=seats + silent, cards=cards)
    return Room(Site("127.0.0.1", stack.port), made.code, made.seats[:seats], teacher)


def _measure_losses(stack: Stack, connection: psycopg.Connection, teacher: Player) -> Row:
    room = _make_room(stack, teacher, seats=SEATS, cards=LOSSY_CARDS)
    driver = Driver(room, share=CUT, rng=Random(7), pace=Pace())
    # Not by uvloop: it writes when the loop is idle, and what is cut before that was never sent.
    asyncio.run(driver.play(LOSSY_CARDS))
    stored, kinds = read_answers(connection, room.code)
    losses = find_losses(room.students, driver.ended, stored, kinds)
    told = sum(len(student.told) for student in room.students)
    late = sum(student.troubles["late"] + student.troubles["wrong-card"] for student in room.students)
    note = f"{driver.cuts.total():,} cuts; {len(stored):,} answers stored, {told:,} told so, {late} told that they were late; {losses}"
    return Row("class.lost", losses.total, 0, "answers", note)


async def _measure_fanout(stack: Stack, teacher: Player) -> list[Row]:
    """Show, reveal and rank each card, before or after the floor shows as much."""
    cards = WARM_UP + TIMED_CARDS
    room = _make_room(stack, teacher, seats=SEATS, cards=cards, silent=1)
    # In a process of its own: the garbage of either side is collected while that side is timed, or not at all.
    floor = Player(free_port())
    floor.cookies = dict(teacher.cookies)
    stack.start_web(APPLICATION, name="floor", port=floor.connection.port)
    crowd = Crowd(floor, _make_room(stack, teacher, seats=0, cards=cards).code, SEATS)
    await room.open()
    await crowd.open()
    crowd.text = room.students[0].latest.decode()
    sides: dict[str, Side] = {"game": Together(room, Random(7)), "floor": crowd}
    shown: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(cards):
        for phase in ("card", "reveal", "standings"):
            for name in list(sides)[:: 1 if turn % 2 else -1]:
                await asyncio.sleep(REST_SECONDS)
                shown[name].append(await sides[name].show())
                crowd.text = room.students[0].latest.decode()
            if phase == "card":
                await sides["game"].answer()
    most = max(frames for student in room.students for card, frames in student.frames.items() if card)
    size = len(room.students[0].latest)
    room.part()
    crowd.part()
    stack.stop("floor")
    timed = {name: times[3 * WARM_UP :] for name, times in shown.items()}
    slow, usual = ({name: of(times) * 1e3 for name, times in timed.items()} for of in (_p99, median))
    note = f"medians {usual['game']:.0f} / {usual['floor']:.0f} ms; {3 * TIMED_CARDS} times each, {SEATS:,} sockets, {size:,} bytes"
    return [
        _compare("class.fanout", slow["game"], slow["floor"], 0.2, note),
        Row("class.messages", most, 8, "frames", f"of {SEATS:,} students, {TIMED_CARDS} cards"),
    ]


async def _measure_answers(stack: Stack, teacher: Player) -> Row:
    """Have all answer each card at once, before or after as many bare inserts."""
    room = _make_room(stack, teacher, seats=SEATS, cards=WARM_UP + BURSTS, silent=1)
    crowd = Crowd(teacher, "", SEATS)
    await room.open()
    await crowd.open()
    game = Together(room, Random(7))
    sides: dict[str, Side] = {"game": game, "floor": crowd}
    answered: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(WARM_UP + BURSTS):
        for _ in range(3 if turn else 1):
            await game.show()
            await asyncio.sleep(REST_SECONDS)
        for name in list(sides)[:: 1 if turn % 2 else -1]:
            await asyncio.sleep(REST_SECONDS)
            answered[name].append(await sides[name].answer())
    room.part()
    crowd.part()
    bursts = {name: median(times[WARM_UP:]) * 1e3 for name, times in answered.items()}
    return _compare("class.answers", bursts["game"], bursts["floor"], 2.0, f"medians of {BURSTS} bursts of {SEATS:,} each")


async def _measure_growth(stack: Stack, teacher: Player) -> Row:
    """Answer in a big class and in a small one, whose cards are answered as many times sooner."""
    answers = (1 + TURNS) * TURN  # the first turn warms up
    rooms = [_make_room(stack, teacher, seats=seats, cards=-(-answers // seats), silent=1) for seats in (SEATS, FEW)]
    sides = [Together(room, Random(7)) for room in rooms]
    for room in rooms:
        await room.open()
    waited: list[list[float]] = [[], []]
    for turn in range(-1, TURNS):
        for side, times in list(zip(sides, waited, strict=True))[:: 1 if turn % 2 else -1]:
            slow = _p99(await _answer_some(side))
            times += [slow] if turn >= 0 else []
    for room in rooms:
        room.part()
    big, small = (median(times) * 1e3 for times in waited)
    note = f"medians of {TURNS} turns, {TURN} answers in each, {RATE} a second, {SEATS:,} and {FEW} students"
    return _compare("class.growth", big, small, 1.5, note)


async def _answer_some(side: Together) -> list[float]:
    """Have TURN answers come in at RATE, on as many cards as they need; return how long each waited."""
    students = side.room.students
    waited: list[float] = []
    while len(waited) < TURN:
        waiting = [student for student in students if side.room.card not in student.pressed]
        if not waiting or side.room.phase != "card":
            for _ in range(1 if side.room.phase == "lobby" else 3):
                await side.show()
                await asyncio.sleep(REST_SECONDS)
            waiting = students
        waited += await side.answer_at(waiting[: TURN - len(waited)], 1 / RATE)
    return waited


def _compare(name: str, ours: float, floor: float, goal: float, note: str) -> Row:
    return Row(name, round(ours / floor, 3), goal, "ratio", f"{ours:.1f} / {floor:.1f} ms; {note}")


def _p99(times: Sequence[float]) -> float:
    return quantiles(times, n=100, method="inclusive")[98]
