"""The load driver: a whole class whose connections are cut at random moments."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from bench.classroom.room import MAX_SECONDS, Room, Student

VERDICTS = ("human", "machine")


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: within which all press a button, how long a card stays, a reveal or standings, and at most a lost connection."""

    press: float = 3.0
    card: float = 5.0
    rest: float = 0.7
    away: float = 1.5


class Driver:
    """Plays a class: `share` of its connections are cut during each card, each at one of five kinds of moments."""

    def __init__(self, room: Room, *, share: float, rng: Random, pace: Pace) -> None:
        self.room, self.share, self.rng, self.pace = room, share, rng, pace
        self.cuts: Counter[str] = Counter()
        self.ended: dict[str, float] = {}  # when the host moved on from a card
        self.moments = {
            "in the middle of an answer": self._press_half,
            "right after an answer": self._press_and_lose,
            "before the acknowledgement": self._press_and_lose_soon,
            "at any moment": self._lose_at_any_moment,
            "while joining": self._lose_while_joining,
        }

    async def play(self, cards: int) -> None:
        """Play so many cards, to the podium on every page; raises TimeoutError where the class hangs."""
        async with asyncio.timeout(MAX_SECONDS):
            await self.room.open()
            for _ in range(cards):
                await self._play_card()
            await self.room.go_on_to("podium")
            while any(not student.is_watching() or student.version < self.room.version for student in self.room.students):
                await asyncio.sleep(0.1)
            self.room.close()

    async def _play_card(self) -> None:
        await self.room.go_on_to("card")
        victims = set(self.rng.sample(self.room.students, round(self.share * len(self.room.students))))
        moments = list(self.moments.values())
        for student in self.room.students:
            at, verdict = self.rng.uniform(0.0, self.pace.press), self.rng.choice(VERDICTS)
            if student in victims:
                self.rng.choice(moments)(student, at, verdict)
            else:
                self._later(at, student.press, verdict)
        await asyncio.sleep(self.pace.card)
        self.ended[self.room.card] = time.perf_counter()
        await self.room.go_on_to("reveal")
        await asyncio.sleep(self.pace.rest)
        await self.room.act("next")
        await asyncio.sleep(self.pace.rest)

    def _press_half(self, student: Student, at: float, verdict: str) -> None:
        def send(text: bytes) -> None:
            student.send_part(text, self.rng.randrange(1, len(text)))
            self._lose(student, "in the middle of an answer")

        self._later(at, student.press, verdict, send)

    def _press_and_lose(self, student: Student, at: float, verdict: str) -> None:
        def send(text: bytes) -> None:
            student.send(text)
            self._lose(student, "right after an answer")

        self._later(at, student.press, verdict, send)

    def _press_and_lose_soon(self, student: Student, at: float, verdict: str) -> None:
        self._later(at, student.press, verdict)
        self._later(at + self.rng.uniform(0.0, 0.05), self._lose, student, "before the acknowledgement")

    def _lose_at_any_moment(self, student: Student, at: float, verdict: str) -> None:
        self._later(at, student.press, verdict)
        self._later(self.rng.uniform(0.0, self.pace.card + 2 * self.pace.rest), self._lose, student, "at any moment")

    def _lose_while_joining(self, student: Student, at: float, verdict: str) -> None:
        self._later(at, student.press, verdict)
        self._later(self.rng.uniform(0.0, self.pace.press), self._lose, student, "while joining")

    def _later(self, seconds: float, do: Callable[..., None], *arguments: object) -> None:
        asyncio.get_running_loop().call_later(seconds, do, *arguments)

    def _lose(self, student: Student, moment: str) -> None:
        if student.is_watching():
            student.cut()
            self.cuts[moment] += 1
            again = self.rng.uniform(0.0, 0.02) if moment == "while joining" else None
            self.room.start(student.rejoin(self.rng.uniform(0.0, self.pace.away), again))
