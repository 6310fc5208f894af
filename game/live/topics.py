"""What can be watched live: apps register their topics here, so that this app imports none of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class RoomClosed(Exception):
    """There is no such room, or no longer."""


class Refused(Exception):
    """A frame of a client is not taken, and told so by a code; the connection stays."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Frames:
    """A room at a moment, as HTML: who sits where is sent `shared`, `personal[who]` and `fresh()` as one frame.

    It is sent when one of the first two has changed. `fresh` is what hangs on the moment of sending, as the time that is left.
    """

    shared: str
    personal: Mapping[str, str]
    fresh: Callable[[], str] = str


class Topic(Protocol):
    """A kind of room: the leaderboard, a class."""

    name: str

    async def may_join(self, scope: dict[str, Any], key: str) -> bool:
        """Say whether the connection with this ASGI scope may watch the room `key`."""

    async def render(self, key: str) -> str:
        """Return the room's current state, whole, as the HTML that every socket is sent; raises RoomClosed."""


_topics: dict[str, Topic] = {}


def register_topic(topic: Topic) -> None:
    """Make `topic` known under its name; called from an app's `ready`."""
    _topics[topic.name] = topic


def find_topic(name: str) -> Topic | None:
    """Return the topic called `name`, if there is one."""
    return _topics.get(name)
