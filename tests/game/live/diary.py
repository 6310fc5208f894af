"""A topic whose pages belong to somebody, for tests of rooms in which it matters who one is."""

import asyncio

from game.live import hub as hub_module
from game.live.services import _send
from game.live.topics import Dismissed, Frames, Refused, Reply, RoomClosed, new_moment
from tests.game.live.test_live import Browser, join


class Diary:
    """A topic whose pages belong to whom the cookie names; what a client sends is written into its own."""

    name = "diary"

    def __init__(self) -> None:
        self.title = "Monday"
        self.pages = {"ada": "rain", "bob": "sun"}
        self.clock = 0
        self.renderings = 0
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.reply_gate: asyncio.Event | None = None

    async def admit(self, scope, key: str) -> str | None:
        if self.error:
            raise self.error
        return dict(scope["headers"])[b"cookie"].decode() or None

    async def render(self, key: str) -> Frames:
        self.renderings += 1
        pages = dict(self.pages)
        if self.gate:
            await self.gate.wait()
        return Frames(f"<h1>{self.title}</h1>", {who: f"<p>{text}</p>" for who, text in pages.items()}, self.tell_time)

    def tell_time(self) -> str:
        self.clock += 1
        return f"<i>{self.clock}</i>"

    async def receive(self, key: str, who: str, text: str) -> Reply:
        endings = {"ugly": Refused("ugly"), "leave": Dismissed(), "burn": RoomClosed()}
        if text in endings:
            raise endings[text]
        self.pages[who] = text
        reply = Reply(f"<p>{text}</p>", new_moment(), "<b></b>")
        if self.reply_gate:
            await self.reply_gate.wait()
        return reply

    def explain(self, code: str) -> str:
        return f"<b>{code}</b>"


class Wall:
    """A topic of which everybody has a part, and whose clients say nothing."""

    name = "wall"

    async def admit(self, scope, key: str) -> str | None:
        return "ada"

    async def render(self, key: str) -> Frames:
        return Frames("<h1>Wall</h1>", {"ada": ""})


async def open_diary(who: str) -> Browser:
    return await join("/live/diary/a/", cookie=who)


async def say(socket: Browser, text: str) -> None:
    await socket.send_input({"type": "websocket.receive", "text": text})


async def change() -> None:
    await _send("diary", ("a",))


async def settle() -> None:
    """Wait until the room may be rendered again."""
    await asyncio.sleep(2 * hub_module.MIN_INTERVAL_SECONDS)
