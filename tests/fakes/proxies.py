"""Proxies with a password, HTTP (CONNECT) and SOCKS5, that lead every host to one port of ours."""

import base64
import socket
import socketserver
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import quote

USER, PASSWORD = "ann", "owls: 2 @ night"


class FakeProxy:
    """A proxy on a port of its own; subclasses say how it is spoken to. Use it as a context manager.

    `asked` are the hosts and ports that it was asked for. `refusals` are answers (a status, or a code of SOCKS) that it gives
    to the next requests, in the place of a connection.
    """

    scheme: str

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.asked: list[str] = []
        self.refusals: list[int] = []
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def address(self, password: str = PASSWORD) -> str:
        """Return the proxy's address, as SCRAPE_PROXIES takes it."""
        return f"{self.scheme}://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}"

    def admit(self, client: socket.socket) -> bool:
        """Speak with a client until it is connected; say whether it is."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class ConnectProxy(FakeProxy):
    """An HTTP proxy (RFC 9110, 9.3.6) with Basic credentials."""

    scheme = "http"

    def admit(self, client: socket.socket) -> bool:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (more := client.recv(1)):
                return False
            head += more
        first, *rest = head.decode("latin1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        status = self._judge(first, headers.get("proxy-authorization", ""))
        if status != 200:
            client.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            return False
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return True

    def _judge(self, first: str, credentials: str) -> int:
        method, target, _ = first.split(" ")
        self.asked.append(target)
        if self.refusals:
            return self.refusals.pop(0)
        if credentials != "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
            return 407
        return 200 if method == "CONNECT" else 405


class SocksProxy(FakeProxy):
    """A SOCKS5 proxy (RFC 1928) with a password (RFC 1929)."""

    scheme = "socks5"

    def admit(self, client: socket.socket) -> bool:
        _, methods = _exactly(client, 2)
        if 2 not in _exactly(client, methods):
            client.sendall(b"\x05\xff")
            return False
        client.sendall(b"\x05\x02")
        _, length = _exactly(client, 2)
        user = _exactly(client, length)
        password = _exactly(client, _exactly(client, 1)[0])
        if (user, password) != (USER.encode(), PASSWORD.encode()):
            client.sendall(b"\x01\x01")
            return False
        client.sendall(b"\x01\x00")
        kind = _exactly(client, 4)[3]
        host = _exactly(client, _exactly(client, 1)[0]).decode() if kind == 3 else socket.inet_ntoa(_exactly(client, 4))
        self.asked.append(f"{host}:{int.from_bytes(_exactly(client, 2))}")
        code = self.refusals.pop(0) if self.refusals else 0
        client.sendall(bytes([5, code, 0, 1, 0, 0, 0, 0, 0, 0]))
        return code == 0


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


class _Handler(socketserver.BaseRequestHandler):
    proxy: FakeProxy

    def handle(self) -> None:
        with suppress(ConnectionError):
            if self.proxy.admit(self.request):
                with socket.create_connection(("127.0.0.1", self.proxy.target_port)) as server:
                    for end in (server, self.request):
                        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or answers in two packets take 40 ms
                    threading.Thread(target=_pour, args=(self.request, server), daemon=True).start()
                    _pour(server, self.request)


def _pour(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes, until one end hangs up."""
    with suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _exactly(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        if not (more := client.recv(count - len(found))):
            raise ConnectionResetError
        found += more
    return found
