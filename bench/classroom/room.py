"""A class as its pages live it: students read frames, press a verdict, and resend what nobody acknowledged, as static/js/class.js does."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bench.classroom.wire import Site, Wire, connect, connect_all
from bench.client import Player
from bench.report import NotMeasured

# However it is called: more would be a load test of the machine, and longer a class that nobody ends.
MAX_SEATS, MAX_SECONDS = 2_000, 900.0
_DATA = re.compile(r'\bdata-([\w-]+)="([^"]*)"')


def read_data(frame: bytes, name: str) -> dict[str, str]:
    """Return the data attributes of the element `name` of a frame, of the last one where there are two; none where there is none."""
    found = frame.rfind(b'id="%s"' % name.encode())
    if found < 0:
        return {}
    return dict(_DATA.findall(frame[frame.rindex(b"<", 0, found) : frame.index(b">", found)].decode()))


@dataclass(frozen=True, slots=True)
class Pass:
    """What lets somebody into a class: the token of a seat, and the cookie that a browser sends."""

    token: str
    cookie: str


class Page:
    """A browser's page that watches a class."""

    wire: Wire | None = None

    def leave(self) -> None:
        """Close the connection for good."""
        wire, self.wire = self.wire, None
        if wire:
            wire.transport.close()


class Student(Page):
    """One seat, its page, and what was pressed and told on it: the log that the database is compared with."""

    def __init__(self, room: "Room", seat: Pass) -> None:
        self.room, self.seat = room, seat
        self.joining = asyncio.Lock()
        self.greeted = False  # the present connection has brought the state, whole
        self.version, self.card, self.counted_for = -1, "", ""
        self.pressed: dict[str, str] = {}
        self.told: dict[str, str] = {}
        # When the whole answer was on its way on a connection that nobody cut since.
        self.under_way: dict[str, float] = {}
        self.told_otherwise = 0
        self.standing: dict[str, str] = {}
        self.latest = b""
        self.frames: Counter[str] = Counter()
        self.troubles: Counter[str] = Counter()

    async def join(self) -> None:
        """Connect; the first frame brings the state, and resends what was not acknowledged."""
        self.greeted = False
        self.wire = await connect(self.room.site, f"/live/class/{self.room.code}/", self.seat.cookie, self._read, self._lose)
        await self.wire.opened

    async def rejoin(self, pause: float, cut_after: float | None = None) -> None:
        """Connect again after `pause` seconds, and again until it works, as a page does; the first try may be `cut_after` some."""
        async with self.joining:
            while self.wire is None:
                await asyncio.sleep(pause)
                if cut_after is not None:
                    asyncio.get_running_loop().call_later(cut_after, self.cut)
                with suppress(OSError):
                    await self.join()
                if cut_after is not None:
                    await asyncio.sleep(cut_after)
                    cut_after = None

    def is_watching(self) -> bool:
        """Say whether the page is connected, and knows the state."""
        return self.wire is not None and self.greeted

    def press(self, verdict: str, send: Callable[[bytes], None] | None = None) -> None:
        """Press a button on the card that the page shows, if it shows one; `send` sends it in another way than whole."""
        if self.card and self.card not in self.pressed:
            self.pressed[self.card] = verdict
            # A page that is not connected, or knows nothing yet, keeps it until it is.
            if self.is_watching():
                self._send(send or self.send)

    def send(self, text: bytes) -> None:
        """Send an answer, whole."""
        assert self.wire
        self.wire.send_text(text)
        self.under_way[self.card] = time.perf_counter()

    def send_part(self, text: bytes, size: int) -> None:
        """Send only the first bytes of an answer's frame."""
        assert self.wire
        self.wire.send_part(text, size)

    def cut(self) -> None:
        """Lose the connection without a word."""
        wire, self.wire = self.wire, None
        self.under_way.pop(self.card, None)
        if wire:
            wire.cut()

    def _send(self, send: Callable[[bytes], None]) -> None:
        self.frames[self.counted_for] += 1
        send(json.dumps({"type": "answer", "card": self.card, "verdict": self.pressed[self.card]}).encode())

    def _read(self, wire: Wire, frame: bytes) -> None:
        if wire is not self.wire:
            return
        first, self.greeted = not self.greeted, True
        if stage := read_data(frame, "stage"):
            self.latest = frame
            before, self.version = self.version, int(stage["version"])
            self.card = stage.get("card", "") if stage["phase"] == "card" else ""
            self.counted_for = self.card or self.counted_for
            self.room.see(stage, before)
        self.frames[self.counted_for] += 1
        if mine := read_data(frame, "mine"):
            self._note(mine)
        if trouble := read_data(frame, "trouble").get("code"):
            self.troubles[trouble] += 1
        if first and self.card in self.pressed and self.card not in self.told:
            self._send(self.send)

    def _note(self, mine: dict[str, str]) -> None:
        card, verdict = mine.get("card", ""), mine.get("verdict", "")
        if "points" in mine:
            self.standing = mine
        if card and verdict and card not in self.told:
            self.told[card] = verdict
            self.room.on_ack(self)
        elif card and verdict and self.told[card] != verdict:
            self.told_otherwise += 1

    def _lose(self, wire: Wire, code: int) -> None:
        if wire is self.wire:
            self.wire = None
            self.under_way.pop(self.card, None)
            self.room.closed[code] += 1
            self.room.start(self.rejoin(0.5))


class Watcher(Page):
    """The projector or the teacher's phone: it takes what comes, as the class's own counting costs something too."""

    def __init__(self, room: "Room", topic: str) -> None:
        self.room, self.topic = room, topic
        self.frames = 0

    async def join(self) -> None:
        """Connect with the teacher's cookies."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.room.teacher.cookies.items())
        self.wire = await connect(self.room.site, f"/live/{self.topic}/{self.room.code}/", cookie, self._read, self._lose)
        await self.wire.opened

    def _read(self, wire: Wire, frame: bytes) -> None:
        self.frames += 1
        if stage := read_data(frame, "stage"):
            self.room.see(stage, int(stage["version"]))

    def _lose(self, wire: Wire, code: int) -> None:
        if wire is self.wire:
            self.room.closed[code] += 1


class Room:
    """A class with all its seats, driven from here; `teacher` is signed in."""

    def __init__(self, site: Site, code: str, seats: Sequence[Pass], teacher: Player) -> None:
        if len(seats) > MAX_SEATS:
            raise ValueError(f"{len(seats)} seats are more than {MAX_SEATS}.")
        self.site, self.code, self.teacher = site, code, teacher
        self.students = [Student(self, seat) for seat in seats]
        self.watchers = [Watcher(self, topic) for topic in ("class-host", "class-presenter")]
        self.phase, self.card, self.version = "", "", -1
        self.closed: Counter[int] = Counter()
        self.tasks: set[asyncio.Task[None]] = set()
        self.moved = asyncio.Event()
        self.on_ack: Callable[[Student], None] = lambda student: None
        self._target, self._behind = 0, 0
        self._all_there: asyncio.Future[float] | None = None

    async def open(self) -> None:
        """Connect everybody, and wait until everybody has the state."""
        await connect_all([*(student.join for student in self.students), *(watcher.join for watcher in self.watchers)])
        while not all(student.greeted for student in self.students):
            await asyncio.sleep(0.05)

    def part(self) -> None:
        """Let everybody leave; raise NotMeasured if the server has ended a connection before."""
        self.close()
        if self.closed:
            raise NotMeasured(f"The server closed connections: {dict(self.closed)}.")

    def close(self) -> None:
        """Let everybody leave."""
        for task in self.tasks:
            task.cancel()
        for page in [*self.students, *self.watchers]:
            page.leave()

    def see(self, stage: Mapping[str, str], before: int) -> None:
        """Note the data of a stage that a page was sent which had been at version `before`."""
        version = int(stage["version"])
        if version > self.version:
            self.version, self.phase, self.card = version, stage["phase"], stage.get("card", "")
            self.moved.set()
            self.moved = asyncio.Event()
        if self._all_there and before < self._target <= version:
            self._behind -= 1
            if not self._behind:
                self._all_there.set_result(time.perf_counter())
                self._all_there = None

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something on the side, for as long as the room is open."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def act(self, action: str) -> float:
        """Press one of the host's buttons, and return when; it does nothing where the class has moved on already."""
        return await asyncio.to_thread(self._post, {"action": action, "version": str(self.version), "view": "host"})

    def _post(self, fields: dict[str, str]) -> float:
        self.teacher.connection.close()  # the server gives up one that is idle for five seconds
        start = time.perf_counter()
        status, page = self.teacher.post(f"/class/{self.code}/act/", fields, htmx=True)
        if status not in (200, 204):
            raise NotMeasured(f"The host's {fields['action']} was answered with {status}: {page[:200]}")
        return start

    async def act_and_wait(self, action: str) -> float:
        """Return the seconds from the host's action to the last student's frame; everybody is connected."""
        self._target, self._behind = self.version + 1, sum(student.version <= self.version for student in self.students)
        self._all_there = there = asyncio.get_running_loop().create_future()
        start = await self.act(action)
        return await there - start

    async def go_on_to(self, phase: str) -> None:
        """Move on until the class is in this phase."""
        while self.phase != phase:
            moved = self.moved
            await self.act("start" if self.phase == "lobby" else "next")
            await moved.wait()
