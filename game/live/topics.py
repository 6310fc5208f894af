"""What can be watched live: apps register their topics here, so that this app imports none of them."""

from typing import Any, Protocol


class RoomClosed(Exception):
    """There is no such room, or no longer."""


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
