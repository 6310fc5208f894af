"""A websocket that costs the client nearly nothing: a thousand of them share two cores with the server that is measured."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import cast

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
# What a connection is closed with that ends without a word.
ABNORMAL = 1006
AT_ONCE = 50
_LONGEST_SHORT = 125


@dataclass(frozen=True, slots=True)
class Site:
    """Where the game is: on this machine, for a load driver is no toy to point at others. Raises ValueError elsewhere."""

    host: str
    port: int

    def __post_init__(self) -> None:
        if not ip_address(self.host).is_loopback:
            raise ValueError(f"{self.host} is not this machine: the load driver talks to 127.0.0.1 or ::1 alone.")


class Wire(asyncio.Protocol):
    """One connection; what comes in goes to `on_text`, and its end, once it was `opened`, to `on_close` with the code."""

    transport: asyncio.Transport

    def __init__(self, on_text: "OnText", on_close: "OnClose") -> None:
        self.on_text, self.on_close = on_text, on_close
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = bytearray()
        self.code = ABNORMAL

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance

    def data_received(self, data: bytes) -> None:
        """Take the server's consent to the handshake, then frames."""
        self.buffer += data
        if not self.opened.done():
            head, blank, rest = bytes(self.buffer).partition(b"\r\n\r\n")
            if not blank:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(ConnectionError(head.split(b"\r\n")[0].decode()))
                self.transport.abort()
                return
            self.buffer[:] = rest
            self.opened.set_result(None)
        while frame := self._next_frame():
            self._take(*frame)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionError("closed during the handshake"))
        elif not self.opened.cancelled() and not self.opened.exception():
            self.on_close(self, self.code)

    def send_text(self, text: bytes) -> None:
        """Send a whole frame."""
        self.transport.write(frame_of(TEXT, text))

    def send_part(self, text: bytes, size: int) -> None:
        """Send the first `size` bytes of a frame and leave the rest out."""
        self.transport.write(frame_of(TEXT, text)[:size])

    def cut(self) -> None:
        """End the connection as a lost network does: by a reset, with nothing more sent or read."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _next_frame(self) -> tuple[int, bytes] | None:
        """Take a frame out of the buffer; uvicorn sends each in one piece."""
        buffer = self.buffer
        if len(buffer) < 2:
            return None
        size, head = buffer[1], 2
        if size == 126:
            size, head = int.from_bytes(buffer[2:4]), 4
        elif size == 127:
            size, head = int.from_bytes(buffer[2:10]), 10
        if len(buffer) < head + size:
            return None
        opcode, payload = buffer[0] & 15, bytes(buffer[head : head + size])
        del buffer[: head + size]
        return opcode, payload

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            self.on_text(self, payload)
        elif opcode == PING:
            self.transport.write(frame_of(PONG, payload))
        elif opcode == CLOSE:
            self.code = int.from_bytes(payload[:2]) or ABNORMAL
            self.transport.write(frame_of(CLOSE, payload[:2]))
            self.transport.close()


OnText = Callable[[Wire, bytes], None]
OnClose = Callable[[Wire, int], None]


def frame_of(opcode: int, payload: bytes) -> bytes:
    """Return a client's frame, masked with zeros: no proxy is in between that the mask would protect."""
    size = len(payload)
    head = bytes([128 | size]) if size <= _LONGEST_SHORT else bytes([128 | 126]) + size.to_bytes(2)
    return bytes([128 | opcode]) + head + bytes(4) + payload


async def connect(site: Site, path: str, cookie: str, on_text: OnText, on_close: OnClose) -> Wire:
    """Ask for a websocket as a page of the site does, and return it before the answer: whoever asked awaits `opened`.

    It offers no compression, so that nobody's frames are compressed. Raises OSError where nobody listens.
    """
    loop = asyncio.get_running_loop()
    _, wire = await loop.create_connection(lambda: Wire(on_text, on_close), site.host, site.port)
    address = f"[{site.host}]:{site.port}" if ":" in site.host else f"{site.host}:{site.port}"
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {address}",
        f"Origin: http://{address}",
        f"Cookie: {cookie}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: YSBiZW5jaCAxNiBieXRlcw==",
    )
    wire.transport.write("\r\n".join((*lines, "", "")).encode())
    return wire


async def connect_all(openers: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Run what opens connections, a few at once: a thousand handshakes together would fill the server's backlog."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def run(opener: Callable[[], Awaitable[None]]) -> None:
        async with gate:
            await opener()

    await asyncio.gather(*(run(opener) for opener in openers))
