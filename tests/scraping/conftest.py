import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from game.pool.models import Category
from scraping.models import Feed
from tests.people import client_of
from tests.scraping.pages import make_feed

HERE = {"127.0.0.1", "::1", "localhost", None}
ANIMALS = ("owl", "heron", "finch", "crane", "swift", "raven", "robin", "stork", "eagle", "quail")


def sentence(number: int) -> str:
    """Return the made-up English post of this number; no two are alike."""
    return f"Today the {ANIMALS[number % 10]} number {number} sat on our old roof and sang."


def twint(number: int = 1, **fields: Any) -> dict[str, Any]:
    """Return post `number` as twint writes it, with `fields` changed."""
    own_id = str(1_200_000_000_000_000_000 + number)
    record = {
        "id": float(own_id),
        "conversation_id": own_id,
        "created_at": 1_590_958_168_000,
        "username": "ada_owl",
        "name": "Ada Owl",
        "tweet": sentence(number),
        "likes_count": 5,
        "retweets_count": 2,
        "link": f"https://twitter.com/ada_owl/status/{own_id}",
        "retweet": False,
    }
    return record | fields


@pytest.fixture(autouse=True)
def nobody_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail whoever, in this process, looks up or connects to anything but this machine: client libraries must stay with our fakes."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connect_here(self: socket.socket, address: Any) -> None:
        assert isinstance(address, str | bytes) or address[0] in HERE, f"connected to {address}"
        connect(self, address)

    def look_up_here(host: Any, *args: Any, **kwargs: Any) -> Any:
        assert host in HERE, f"looked up {host}"
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)


@pytest.fixture
def category(db: None) -> Category:
    return Category.objects.create(slug="birds", name="Birds")


@pytest.fixture
def feed(category: Category) -> Feed:
    return make_feed(category, state="open")


@pytest.fixture
def moderator(db: None) -> Client:
    return client_of("moderator")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write lines (records as JSON; text or bytes as they are) into a file of that name."""

    def write_lines(name: str, *lines: dict[str, Any] | str | bytes) -> Path:
        path = tmp_path / name
        with path.open("wb") as file:
            for line in lines:
                text = json.dumps(line) if isinstance(line, dict) else line
                file.write((text.encode() if isinstance(text, str) else text) + b"\n")
        return path

    return write_lines
