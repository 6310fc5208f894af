"""What the hub needs of a connection, and how it writes to many."""

from collections import deque
from enum import IntEnum
from typing import Protocol


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


async def write_frames(left: deque[tuple[Socket, str]], at: list[Socket]) -> None:
    """Write frames for as long as some are left; `at` holds the socket that it is at."""
    while left:
        socket, frame = left.popleft()
        at[:] = [socket]
        await socket.send_frame(frame)
