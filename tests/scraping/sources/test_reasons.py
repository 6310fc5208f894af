"""Reasons as the operating system gives them, through what requests and httpx make of them."""

import errno
import socket
import ssl
from collections.abc import Callable

import httpx
import pytest
import requests

from scraping.sources.reasons import why


@pytest.mark.parametrize("get", [requests.get, httpx.get])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "nobody knows that name (DNS), or there is no network"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "the connection was refused"),
        (TimeoutError("timed out"), "no answer in time"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "the connection was cut"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "no network leads there"),
    ],
)
def test_a_reason_is_found_behind_a_librarys_errors(
    monkeypatch: pytest.MonkeyPatch, get: Callable[..., object], error: OSError, words: str
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setattr(socket, "create_connection", fail)
    with pytest.raises((requests.RequestException, httpx.HTTPError)) as failed:
        get("http://owls.example/")
    assert why(failed.value) == words


def test_what_nobody_has_words_for_keeps_its_name() -> None:
    assert why(ssl.SSLEOFError(8, "EOF")) == "no encrypted connection came about"
    assert why(requests.exceptions.ContentDecodingError("user:secret")) == "ContentDecodingError"
