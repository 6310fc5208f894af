"""The two sides of a comparison, each with a thousand sockets: a class, and a crowd that plain Channels serves."""

import asyncio
import json
import time
from collections.abc import Sequence
from random import Random
from typing import Protocol

from bench.classroom.driver import VERDICTS
from bench.classroom.room import Room, Student
from bench.classroom.wire import Site, Wire, connect, connect_all
from bench.client import Player
from bench.report import NotMeasured

# Nothing that is measured takes a fraction of it.
PATIENCE_SECONDS = 60.0


class Side(Protocol):
    """Those who watch together, and answer together."""

    async def show(self) -> float:
        """Have the host show something new; return the seconds until the last one has it."""

    async def answer(self) -> float:
        """Let all answer at once; return the seconds until the last one is told that it is kept."""


class Together(Side):
    """A class in step, none of whose connections is lost."""

    def __init__(self, room: Room, rng: Random) -> None:
        self.room, self.rng = room, rng

    async def show(self) -> float:
        """Move on: to the first card, a reveal, the standings, the next card."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.room.act_and_wait("start" if self.room.phase == "lobby" else "next")

    async def answer(self) -> float:
        """Answer the card on the table."""
        return max(await self.answer_at(self.room.students, 0.0))

    async def answer_at(self, students: Sequence[Student], interval: float) -> list[float]:
        """Let students answer one after the other, `interval` seconds apart; return how long each waited to be told."""
        pressed: dict[Student, float] = {}
        waited: list[float] = []
        done = asyncio.Event()

        def note(student: Student) -> None:
            waited.append(time.perf_counter() - (start if not interval else pressed[student]))
            if len(waited) == len(students):
                done.set()

        self.room.on_ack = note
        start = time.perf_counter()
        for number, student in enumerate(students):
            if interval and (early := start + number * interval - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            pressed[student] = time.perf_counter()
            student.press(self.rng.choice(VERDICTS))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await done.wait()
        return waited


class Crowd(Side):
    """The floor: sockets that get what the host posts, as it is, and whose answers are an insert each.

    Its host moves a class on, too: one that nobody watches.
    """

    def __init__(self, host: Player, code: str, size: int) -> None:
        self.site, self.host, self.code, self.size = Site(host.connection.host, host.connection.port), host, code, size
        self.wires: list[Wire] = []
        self.text = ""  # what is shown next
        self.version = 0
        self.missing = self.lost = 0
        self.done = asyncio.Event()

    async def open(self) -> None:
        """Connect everybody."""
        await connect_all([self._join] * self.size)

    def part(self) -> None:
        """Let everybody leave; raise NotMeasured if the server has ended a connection before."""
        wires, self.wires = self.wires, []
        for wire in wires:
            wire.transport.close()
        if self.lost:
            raise NotMeasured(f"The server closed {self.lost} of the floor's connections.")

    async def show(self) -> float:
        """Have `text` sent to everybody."""
        self._expect()
        start = await asyncio.to_thread(self._post)
        return await self._wait(start)

    async def answer(self) -> float:
        """Send an answer from each."""
        self._expect()
        start = time.perf_counter()
        for number, wire in enumerate(self.wires):
            wire.send_text(json.dumps({"type": "answer", "card": "a card's token is so long", "verdict": VERDICTS[number % 2]}).encode())
        return await self._wait(start)

    async def _join(self) -> None:
        wire = await connect(self.site, "/bench/floor/", "", self._read, self._lose)
        await wire.opened
        self.wires.append(wire)

    def _expect(self) -> None:
        self.missing = self.size
        self.done.clear()

    async def _wait(self, start: float) -> float:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.done.wait()
        return self.finished - start

    def _post(self) -> float:
        self.host.connection.close()
        fields = {"action": "next" if self.version else "start", "version": str(self.version), "text": self.text}
        start = time.perf_counter()
        status, _ = self.host.post(f"/bench/announce/{self.code}/", fields, htmx=True)
        self.version += 1
        if status != 204:
            raise NotMeasured(f"The bare announcement was answered with {status}.")
        return start

    def _read(self, wire: Wire, frame: bytes) -> None:
        self.missing -= 1
        if not self.missing:
            self.finished = time.perf_counter()
            self.done.set()

    def _lose(self, wire: Wire, code: int) -> None:
        self.lost += wire in self.wires
