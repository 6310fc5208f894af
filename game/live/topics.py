"""What can be watched live: apps register their topics here, so that this app imports none of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol, runtime_checkable


class RoomClosed(Exception):
    """There is no such room, or no longer."""


class Refused(Exception):
    """A frame of a client is not taken; it is told why by a code, and stays connected."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Dismissed(Exception):
    """Who sent a frame may not watch any longer."""


@dataclass(frozen=True, slots=True)
class Frames:
    """A room at a moment, as HTML: who sits there is sent `shared`, `personal[who]` and `fresh()` as one frame.

    It is sent when one of the first two has changed. `fresh` is what hangs on the moment of sending, as the time that is left.
    """

    shared: str
    personal: Mapping[str, str]
    fresh: Callable[[], str] = str


@dataclass(frozen=True, slots=True)
class Reply:
    """The personal part of whoever sent a frame, as it is since; `moment` is new_moment() from before it was read.

    `note` is sent with it, and not kept.
    """

    personal: str
    moment: int
    note: str = ""


class Topic(Protocol):
    """A kind of room in which all see the same, as the leaderboard. Its clients say nothing."""

    name: str

    async def may_join(self, scope: dict[str, Any], key: str) -> bool:
        """Say whether the connection with this ASGI scope may watch the room `key`."""

    async def render(self, key: str) -> str:
        """Return the room's current state, whole, as the HTML that every socket is sent; raises RoomClosed."""


@runtime_checkable
class SeatedTopic(Protocol):
    """A kind of room in which it matters who one is: everybody sees a part of their own, too."""

    name: str

    async def admit(self, scope: dict[str, Any], key: str) -> str | None:
        """Return who the connection with this ASGI scope is in the room `key`; None: nobody, and may not watch."""

    async def render(self, key: str) -> Frames:
        """Return the room's current state, whole; who is no longer in `personal` is put out. Raises RoomClosed."""


@runtime_checkable
class TalkingTopic(SeatedTopic, Protocol):
    """A kind of room whose clients may send frames."""

    async def receive(self, key: str, who: str, text: str) -> Reply:
        """Do what a frame asks; raises Refused, Dismissed, RoomClosed."""

    def explain(self, code: str) -> str:
        """Return the HTML that tells a client of a refusal: one of receive's, or bad-frame, too-big, too-many."""


AnyTopic = Topic | SeatedTopic
_topics: dict[str, AnyTopic] = {}
_moments = count(1)


def register_topic(topic: AnyTopic) -> None:
    """Make `topic` known under its name; called from an app's `ready`."""
    _topics[topic.name] = topic


def find_topic(name: str) -> AnyTopic | None:
    """Return the topic called `name`, if there is one."""
    return _topics.get(name)


def new_moment() -> int:
    """Return a higher number than ever before in this process: of two readings, the one with the higher number is as new or newer."""
    return next(_moments)
