"""A small HTTP server that behaves like somebody else's, and misbehaves as a test tells it to."""

import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked: a path, and the last value of every parameter; `all` has each of them; `body` is what it sent as JSON."""

    path: str
    query: Mapping[str, str]
    all: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: Any = None


@dataclass(slots=True)
class Reply:
    """What it is answered. `body` is sent as JSON unless it is bytes already."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """Return the body as it goes over the wire."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body, ensure_ascii=False).encode()


@dataclass(slots=True)
class Trouble:
    """What goes wrong: from the request after the first `skip` whose path holds `path` on, `times` times.

    `reply` takes the answer's place; `cut` sends half of the bytes and hangs up; `slow` writes the body byte by byte round its
    middle, which takes a tenth of a second, and no character comes whole.
    """

    path: str = ""
    skip: int = 0
    times: int = 1
    reply: Callable[[Request], Reply] | None = None
    cut: bool = False
    slow: bool = False
    when: Callable[[Request], bool] = lambda request: True


class FakeServer:
    """One server on a port of its own; subclasses say how it answers. Use it as a context manager."""

    # What the server's clock is ahead of ours, in seconds.
    clock_offset: float = 0.0

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.troubles: list[Trouble] = []
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def answer(self, request: Request) -> Reply:
        """Answer as the real one would."""
        raise NotImplementedError

    def now(self) -> float:
        """Return the time by the server's own clock, in seconds since 1970."""
        return time.time() + self.clock_offset

    def find_trouble(self, request: Request) -> Trouble | None:
        """Return what goes wrong with this request."""
        with self._lock:
            self.requests.append(request)
            for trouble in self.troubles:
                if trouble.path in request.path and trouble.times and trouble.when(request):
                    if trouble.skip:
                        trouble.skip -= 1
                        continue
                    trouble.times -= 1
                    return trouble
        return None

    def paths(self) -> list[str]:
        """Return the paths asked for, in order."""
        return [request.path for request in self.requests]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hung up: tests make them."""
        if not isinstance(sys.exc_info()[1], ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A client waits for an answer that comes in two packets, for 40 ms.
    disable_nagle_algorithm = True
    fake: FakeServer

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_GET(self) -> None:
        self._answer(None)

    def _answer(self, body: Any) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        request = Request(parts.path, {name: values[-1] for name, values in query.items()}, query, dict(self.headers), body)
        trouble = self.fake.find_trouble(request)
        reply = trouble.reply(request) if trouble and trouble.reply else self.fake.answer(request)
        self._send(reply, trouble or Trouble())

    def _send(self, reply: Reply, trouble: Trouble) -> None:
        body = reply.encoded()
        head = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(body))}
        head |= {"Date": formatdate(self.fake.now(), usegmt=True)} | reply.headers
        self.send_response_only(reply.status)
        for name, value in head.items():
            self.send_header(name, value)
        self.end_headers()
        if trouble.cut:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif trouble.slow:
            begin, end = max(len(body) // 2 - 100, 0), len(body) // 2 + 100
            for part in (body[:begin], *(body[at : at + 1] for at in range(begin, end)), body[end:]):
                self.wfile.write(part)
                time.sleep(0.0005)
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: tests read `requests`."""
