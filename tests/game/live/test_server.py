"""Frames that break the websocket protocol itself, sent to the server that runs in production."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn

from game.asgi import application
from game.embedded import commands
from game.live.topics import _topics, register_topic
from tests.game.live.test_live import Counter

pytestmark = pytest.mark.usefixtures("redis")
TEXT, BINARY, CLOSE = 1, 2, 8


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Serve as `make play` does, in this process."""
    register_topic(Counter())
    program = commands.web(0)
    chosen = uvicorn.main.make_context("uvicorn", program[program.index("uvicorn") + 1 :]).params
    config = uvicorn.Config(application, ws=chosen["ws"], ws_max_size=chosen["ws_max_size"], lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    await task
    del _topics["counter"]


def frame(opcode: int, payload: bytes, size: int | None = None) -> bytes:
    """Return a client's frame, masked with zeros; it says that it is of `size`."""
    size = len(payload) if size is None else size
    head = bytes([128 | size]) if size < 126 else bytes([128 | 127]) + size.to_bytes(8)
    return bytes([128 | opcode]) + head + bytes(4) + payload


async def close_code(port: int, sent: bytes) -> int:
    """Connect, send, and return the code that the server closes the connection with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = (
        "GET /live/counter/a/ HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Origin: http://127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: YSBiZW5jaCAxNiBieXRlcw==",
    )
    writer.write("\r\n".join((*lines, "", "")).encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.write(sent)
    opcode = TEXT
    async with asyncio.timeout(10):
        while opcode != CLOSE:
            head, size = await reader.readexactly(2)
            opcode = head & 15
            payload = await reader.readexactly(size if size < 126 else int.from_bytes(await reader.readexactly(2)))
    writer.close()
    return int.from_bytes(payload[:2])


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(frame(TEXT, b"{}") * 5, 4400, id="five frames in one packet"),
        pytest.param(frame(BINARY, bytes(500)), 4400, id="binary"),
        pytest.param(frame(TEXT, b"\xff\xfe"), 1007, id="no text"),
        pytest.param(frame(TEXT, b"\xed\xa0\x80"), 1007, id="a lone surrogate"),
        pytest.param(frame(TEXT, b"x" * 16_385), 1009, id="too long"),
        pytest.param(frame(TEXT, b"x", size=2**62), 1009, id="said to be too long"),
        pytest.param(b"\x81\x02hi", 1002, id="unmasked"),
        pytest.param(b"\xf1\x80\0\0\0\0", 1002, id="reserved bits"),
    ],
)
async def test_what_no_browser_sends_closes_the_connection_and_leaves_no_traceback(
    port: int, sent: bytes, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert await close_code(port, sent) == code
    assert [record for record in caplog.records if record.exc_info] == []
