"""One channel per process and room, not per socket: a room is rendered once and the frame written to every socket here."""

import asyncio
import contextlib
import logging
import math
from collections import deque
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer
from django.db import DatabaseError
from redis.exceptions import RedisError

from game.live.groups import room_group
from game.live.sockets import Close, Socket, write_frames
from game.live.topics import AnyTopic, Reply, RoomClosed, SeatedTopic, Topic, new_moment

logger = logging.getLogger(__name__)

# At most four updates a second per room, whatever the number of changes. Two may come in one moment: what a teacher presses
# does not wait because somebody has just come in.
MIN_INTERVAL_SECONDS = 0.25
# News can be lost (a restarted Redis): look at least so often while somebody watches.
CATCH_UP_SECONDS = 10.0
# A socket that does not take a frame for so long is cut off; its client reconnects to the whole state.
SEND_TIMEOUT_SECONDS = 5.0


class Room:
    """The sockets of this process that watch one room, and the task that feeds them."""

    def __init__(self, name: str, key: str, turn: asyncio.Lock) -> None:
        self.name, self.key, self.turn = name, key, turn
        self.sockets: set[Socket] = set()
        self.rendered = False
        self.changed = asyncio.Event()
        # When it was rendered the last two times.
        self.times = deque([-math.inf, -math.inf], maxlen=2)
        # What the room does not wait for.
        self.aside: set[asyncio.Task[None]] = set()
        self.task = asyncio.create_task(self._run())

    async def add(self, socket: Socket, who: str) -> None:
        """Take in a socket, and see that it gets the current state."""
        raise NotImplementedError

    def discard(self, socket: Socket) -> None:
        """Forget a socket."""
        self.sockets.discard(socket)

    async def show(self) -> None:
        """Render the room, and send it to those who have not seen it so."""
        raise NotImplementedError

    async def _run(self) -> None:
        listener, loop = asyncio.create_task(self._listen()), asyncio.get_running_loop()
        try:
            while True:
                # Not wait_for: until Python 3.12 that forgets that it was cancelled when there are news in the same moment.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CATCH_UP_SECONDS):
                        await self.changed.wait()
                await asyncio.sleep(self.times[0] + 2 * MIN_INTERVAL_SECONDS - loop.time())
                self.changed.clear()
                self.times.append(loop.time())
                try:
                    async with self.turn:
                        await self.show()
                except DatabaseError:
                    logger.exception("Room %s of %s was not rendered; trying again.", self.key, self.name)
        finally:
            listener.cancel()

    async def _listen(self) -> None:
        layer = get_channel_layer()
        group = room_group(self.name, self.key)
        channel = ""
        listening = asyncio.current_task()
        assert listening
        try:
            while True:
                try:
                    channel = channel or await layer.new_channel()
                    await layer.group_add(group, channel)
                    if listening.cancelling():
                        # redis-py forgot it, by wait_for.
                        listening.cancel()
                    # Whatever happened before the group was joined is in the first rendering.
                    self.changed.set()
                    while True:
                        await layer.receive(channel)
                        self.changed.set()
                except (RedisError, OSError) as error:
                    logger.warning("Room %s lost Redis (%s); joining again.", group, error)
                    # Nobody waits for the first frame until Redis is back.
                    if not self.rendered:
                        self.changed.set()
                    await asyncio.sleep(1)
        finally:
            if channel:
                with contextlib.suppress(RedisError, OSError):
                    await layer.group_discard(group, channel)

    async def send(self, frames: Iterable[tuple[Socket, str]]) -> None:
        """Write each socket its frame; a socket that takes none is cut off."""
        left = deque(frames)
        while left:
            at: list[Socket] = []
            hand = asyncio.create_task(write_frames(left, at))
            # It gets as far as the last frame, or to a socket that does not take its own at once: then another hand goes on.
            await asyncio.sleep(0)
            if not hand.done() or hand.exception():
                self._spawn(self._wait_for(hand, at))

    async def _wait_for(self, hand: asyncio.Task[None], at: list[Socket]) -> None:
        """Give the socket that a hand is at some time to take its frame."""
        await asyncio.wait([hand], timeout=SEND_TIMEOUT_SECONDS)
        if not hand.done() or hand.exception():
            hand.cancel()
            self.cut_off(at, Close.TOO_SLOW)

    def cut_off(self, sockets: Iterable[Socket], code: Close) -> None:
        """Put sockets out; closing may wait for a client that takes nothing, the room does not."""
        for socket in sockets:
            self.discard(socket)
            self._spawn(socket.cut_off(code))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.aside.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self.aside.discard(task)
        if not task.cancelled() and (error := task.exception()):
            # As a rule the client was gone already.
            logger.info("A socket of room %s could not be closed: %r.", self.key, error)


class OpenRoom(Room):
    """A room in which all see the same."""

    def __init__(self, topic: Topic, key: str, turn: asyncio.Lock) -> None:
        super().__init__(topic.name, key, turn)
        self.topic = topic
        self.frame = ""

    async def add(self, socket: Socket, who: str) -> None:
        self.sockets.add(socket)
        if self.rendered:
            await socket.send_frame(self.frame)

    async def show(self) -> None:
        frame = await self.topic.render(self.key)
        if frame != self.frame:
            self.frame, self.rendered = frame, True
            await self.send([(socket, frame) for socket in self.sockets])


@dataclass(slots=True)
class Sight:
    """What a socket of a room with seats was sent last; `moment` is that of its personal part."""

    who: str
    since: int
    shared: str | None = None
    personal: str | None = None
    moment: int = 0


class SeatedRoom(Room):
    """A room in which everybody sees a part of their own, too."""

    def __init__(self, topic: SeatedTopic, key: str, turn: asyncio.Lock) -> None:
        super().__init__(topic.name, key, turn)
        self.topic = topic
        self.sights: dict[Socket, Sight] = {}
        self.places: dict[str, set[Socket]] = {}

    async def add(self, socket: Socket, who: str) -> None:
        """Take in a socket; it gets a rendering that began after it came, together with all who came in the meantime.

        An older one may lack the seat, or what was done there through another process or before the connection was cut.
        """
        self.sockets.add(socket)
        self.sights[socket] = Sight(who, since=new_moment())
        self.places.setdefault(who, set()).add(socket)
        self.changed.set()

    def discard(self, socket: Socket) -> None:
        super().discard(socket)
        if sight := self.sights.pop(socket, None):
            self.places[sight.who].discard(socket)
            if not self.places[sight.who]:
                del self.places[sight.who]

    async def show(self) -> None:
        moment = new_moment()
        frames = await self.topic.render(self.key)
        self.rendered = True
        fresh = frames.fresh()
        sends, gone = [], []
        for socket, sight in self.sights.items():
            if sight.since > moment:
                continue
            if sight.moment < moment:
                personal, sight.moment = frames.personal.get(sight.who), moment
            else:
                # The answer to a frame has told it something newer meanwhile.
                personal = sight.personal
            if personal is None:
                gone.append(socket)
            elif (frames.shared, personal) != (sight.shared, sight.personal):
                sight.shared, sight.personal = frames.shared, personal
                sends.append((socket, frames.shared + personal + fresh))
        self.cut_off(gone, Close.REFUSED)
        await self.send(sends)

    async def reply(self, who: str, reply: Reply) -> None:
        """Send the answer to a frame to all sockets of who sent it, unless they have been told something newer: then that."""
        sends = []
        for socket in self.places.get(who, ()):
            sight = self.sights[socket]
            if sight.moment < reply.moment or sight.personal is None:
                sight.personal, sight.moment = reply.personal, reply.moment
            sends.append((socket, sight.personal + reply.note))
        await self.send(sends)


class Hub:
    """The rooms that somebody connected to this process watches."""

    def __init__(self) -> None:
        self.rooms: dict[tuple[str, str], Room] = {}
        # Rooms are rendered in one thread all the same. One that renders while another room's frames are written takes the
        # interpreter from it at every single write.
        self.turn = asyncio.Lock()

    async def join(self, socket: Socket, topic: AnyTopic, key: str, who: str = "") -> None:
        """Add `socket` to a room; it gets the current state at once, and each later one."""
        room = self.rooms.get((topic.name, key))
        if room is None:
            room = SeatedRoom(topic, key, self.turn) if isinstance(topic, SeatedTopic) else OpenRoom(topic, key, self.turn)
            self.rooms[topic.name, key] = room
            room.task.add_done_callback(lambda _task: self._end(room))
        await room.add(socket, who)

    async def reply(self, topic: AnyTopic, key: str, who: str, reply: Reply) -> None:
        """Answer a frame of `who`."""
        room = self.rooms.get((topic.name, key))
        if isinstance(room, SeatedRoom):
            await room.reply(who, reply)

    async def leave(self, socket: Socket, topic: AnyTopic, key: str) -> None:
        """Take `socket` out of a room; the last one out ends the room."""
        room = self.rooms.get((topic.name, key))
        if room is None:
            return
        room.discard(socket)
        if not room.sockets:
            del self.rooms[topic.name, key]
            room.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await room.task

    def _end(self, room: Room) -> None:
        """Close what a room leaves behind that ended by itself: those who connect again get a new one, or are told."""
        if self.rooms.get((room.name, room.key)) is room:
            del self.rooms[room.name, room.key]
        error = None if room.task.cancelled() else room.task.exception()
        if error and not isinstance(error, RoomClosed):
            logger.error("Room %s of %s broke.", room.key, room.name, exc_info=error)
        room.cut_off(list(room.sockets), Close.NOT_FOUND if isinstance(error, RoomClosed) else Close.BROKEN)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def current_hub() -> Hub:
    """Return the hub of the running event loop: one a process, in production."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())
