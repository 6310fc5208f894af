"""One channel per process and room, not per socket: a room is rendered once and the frame written to every socket here."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from enum import IntEnum
from typing import Protocol
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer
from django.db import DatabaseError
from redis.exceptions import RedisError

from game.live.groups import room_group
from game.live.topics import RoomClosed, Topic

logger = logging.getLogger(__name__)

# At most four updates a second per room, whatever the number of changes.
MIN_INTERVAL_SECONDS = 0.25
# News can be lost (a restarted Redis): look at least so often while somebody watches.
CATCH_UP_SECONDS = 10.0
# A socket that does not take a frame for so long is cut off; its client reconnects to the whole state.
SEND_TIMEOUT_SECONDS = 5.0


class Close(IntEnum):
    """Why the server closes a socket; from the range that RFC 6455 leaves to applications. See docs/protocol.md."""

    UNEXPECTED_FRAME = 4400
    REFUSED = 4403
    NOT_FOUND = 4404
    TOO_SLOW = 4408
    BROKEN = 4500


class Socket(Protocol):
    """What the hub needs of a consumer."""

    async def send_frame(self, frame: str) -> None:
        """Write one text frame."""

    async def cut_off(self, code: Close) -> None:
        """Close the connection."""


class Room:
    """The sockets of this process that watch one room, and the task that feeds them."""

    def __init__(self, topic: Topic, key: str) -> None:
        self.topic, self.key = topic, key
        self.sockets: set[Socket] = set()
        self.frame = ""
        self.changed = asyncio.Event()
        self.closing: set[asyncio.Task[None]] = set()
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        listener = asyncio.create_task(self._listen())
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), CATCH_UP_SECONDS)
                self.changed.clear()
                try:
                    frame = await self.topic.render(self.key)
                except DatabaseError:
                    logger.exception("Room %s of %s was not rendered; trying again.", self.key, self.topic.name)
                else:
                    if frame != self.frame:
                        self.frame = frame
                        await self._broadcast(frame)
                await asyncio.sleep(MIN_INTERVAL_SECONDS)
        finally:
            listener.cancel()

    async def _listen(self) -> None:
        layer = get_channel_layer()
        group = room_group(self.topic.name, self.key)
        channel = ""
        try:
            while True:
                try:
                    channel = channel or await layer.new_channel()
                    await layer.group_add(group, channel)
                    # Whatever happened before the group was joined is in the first rendering.
                    self.changed.set()
                    while True:
                        await layer.receive(channel)
                        self.changed.set()
                except (RedisError, OSError) as error:
                    logger.warning("Room %s lost Redis (%s); joining again.", group, error)
                    # Nobody waits for the first frame until Redis is back.
                    if not self.frame:
                        self.changed.set()
                    await asyncio.sleep(1)
        finally:
            if channel:
                with contextlib.suppress(RedisError, OSError):
                    await layer.group_discard(group, channel)

    async def _broadcast(self, frame: str) -> None:
        sends = {asyncio.create_task(socket.send_frame(frame)): socket for socket in self.sockets}
        if not sends:
            return
        done, late = await asyncio.wait(sends, timeout=SEND_TIMEOUT_SECONDS)
        for send in late:
            send.cancel()
        self.cut_off([sends[send] for send in [*late, *(send for send in done if send.exception())]], Close.TOO_SLOW)

    def cut_off(self, sockets: Iterable[Socket], code: Close) -> None:
        """Put sockets out; closing may wait for a client that takes nothing, the room does not."""
        for socket in sockets:
            self.sockets.discard(socket)
            closing = asyncio.create_task(socket.cut_off(code))
            self.closing.add(closing)
            closing.add_done_callback(self._forget)

    def _forget(self, closing: asyncio.Task[None]) -> None:
        self.closing.discard(closing)
        if not closing.cancelled() and (error := closing.exception()):
            # As a rule the client was gone already.
            logger.info("A socket of room %s could not be closed: %r.", self.key, error)


class Hub:
    """The rooms that somebody connected to this process watches."""

    def __init__(self) -> None:
        self.rooms: dict[tuple[str, str], Room] = {}

    async def join(self, socket: Socket, topic: Topic, key: str) -> None:
        """Add `socket` to a room; it gets the current state at once, and each later one."""
        room = self.rooms.get((topic.name, key))
        if room is None:
            room = self.rooms[topic.name, key] = Room(topic, key)
            room.task.add_done_callback(lambda _task: self._end(room))
        room.sockets.add(socket)
        if room.frame:
            await socket.send_frame(room.frame)

    async def leave(self, socket: Socket, topic: Topic, key: str) -> None:
        """Take `socket` out of a room; the last one out ends the room."""
        room = self.rooms.get((topic.name, key))
        if room is None:
            return
        room.sockets.discard(socket)
        if not room.sockets:
            del self.rooms[topic.name, key]
            room.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await room.task

    def _end(self, room: Room) -> None:
        """Close what a room leaves behind that ended by itself: those who connect again get a new one, or are told."""
        if self.rooms.get((room.topic.name, room.key)) is room:
            del self.rooms[room.topic.name, room.key]
        error = None if room.task.cancelled() else room.task.exception()
        if error and not isinstance(error, RoomClosed):
            logger.error("Room %s of %s broke.", room.key, room.topic.name, exc_info=error)
        room.cut_off(list(room.sockets), Close.NOT_FOUND if isinstance(error, RoomClosed) else Close.BROKEN)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def current_hub() -> Hub:
    """Return the hub of the running event loop: one a process, in production."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())
