"""The one consumer: it connects, asks the topic who may, and hands the socket to the hub. See docs/protocol.md."""

import asyncio
import logging
from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable
from django.db import DatabaseError

from game.live.hub import current_hub
from game.live.sockets import Close
from game.live.topics import AnyTopic, Dismissed, Refused, RoomClosed, SeatedTopic, TalkingTopic, find_topic

logger = logging.getLogger(__name__)

# Of frames from clients, where a topic reads any.
LONGEST_FRAME = 1_000
# So many at once, and in the long run so many a second; who sends more is read that much slower.
FRAMES_AT_ONCE = 20
FRAMES_PER_SECOND = 2.0


class LiveConsumer:
    """A browser that watches one room. Who may, and what it may say, is the topic's.

    An application of its own: Channels' consumers have a look at the database's connections before each event, in the one thread
    that all of them share, where a thousand answers at once would wait for a thousand looks.
    """

    def __init__(self, scope: dict[str, Any], receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self.topic: AnyTopic | None = None
        self.talks: TalkingTopic | None = None
        self.key = self.who = ""
        self.closed = False
        self.told: set[str] = set()
        self.allowance, self.counted_at = float(FRAMES_AT_ONCE), 0.0

    async def run(self) -> None:
        """Serve the connection until it ends."""
        await self._receive()
        await self._send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        try:
            await self._enter()
            while (event := await self._receive())["type"] == "websocket.receive":
                # What was under way when it was closed is nobody's business.
                if not self.closed:
                    await self._take(event.get("text"))
        finally:
            if self.topic:
                await current_hub().leave(self, self.topic, self.key)

    async def _enter(self) -> None:
        route = self.scope["url_route"]["kwargs"]
        topic, key = find_topic(route.get("topic", "")), route.get("key", "")
        if topic is None:
            await self.cut_off(Close.NOT_FOUND)
            return
        try:
            who = await self._ask(topic, key)
        except DatabaseError as error:
            logger.warning("Who may watch room %s of %s is not known: %s", key, topic.name, error)
            await self.cut_off(Close.BROKEN)
            return
        if who is None:
            await self.cut_off(Close.REFUSED)
            return
        self.topic, self.key, self.who = topic, key, who
        self.talks = topic if isinstance(topic, TalkingTopic) else None
        await current_hub().join(self, topic, key, who)

    async def _ask(self, topic: AnyTopic, key: str) -> str | None:
        if isinstance(topic, SeatedTopic):
            return await topic.admit(self.scope, key)
        return "" if await topic.may_join(self.scope, key) else None

    async def _take(self, text: str | None) -> None:
        """Have the topic answer a frame; `text` is None for a binary one."""
        if self.talks is None:
            await self.cut_off(Close.UNEXPECTED_FRAME)
            return
        try:
            self._count_frame()
            if text is None:
                raise Refused("bad-frame")
            if len(text) > LONGEST_FRAME:
                raise Refused("too-big")
            reply = await self.talks.receive(self.key, self.who, text)
        except Refused as refusal:
            await self._refuse(self.talks, refusal.code)
        except Dismissed:
            await self.cut_off(Close.REFUSED)
        except RoomClosed:
            await self.cut_off(Close.NOT_FOUND)
        else:
            await current_hub().reply(self.talks, self.key, self.who, reply)

    def _count_frame(self) -> None:
        now = asyncio.get_running_loop().time()
        self.allowance = min(FRAMES_AT_ONCE, self.allowance + (now - self.counted_at) * FRAMES_PER_SECOND)
        self.counted_at = now
        if self.allowance < 1:
            raise Refused("too-many")
        self.allowance -= 1

    async def _refuse(self, topic: TalkingTopic, code: str) -> None:
        if code not in self.told:
            self.told.add(code)
            logger.info("A socket of room %s of %s was refused: %s.", self.key, topic.name, code)
        await self.send_frame(topic.explain(code))
        if code == "too-many":
            await asyncio.sleep(1 / FRAMES_PER_SECOND)

    async def send_frame(self, frame: str) -> None:
        await self._send({"type": "websocket.send", "text": frame, "bytes": None})

    async def cut_off(self, code: Close) -> None:
        if not self.closed:
            self.closed = True
            await self._send({"type": "websocket.close", "code": code, "reason": None})


async def serve(scope: dict[str, Any], receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Serve one websocket."""
    await LiveConsumer(scope, receive, send).run()
