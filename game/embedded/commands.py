"""The processes of a running game, spelled once for the supervisor and for the tests."""

import sys
from pathlib import Path


def web(port: int, application: str = "game.asgi:application") -> list[str]:
    """Return the command of the ASGI server."""
    return [
        *(sys.executable, "-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port)),
        *("--ws", "websockets-sansio", "--no-access-log", "--no-server-header"),
        # Of a frame from a client; the longest that anybody should send is a thousand characters.
        *("--ws-max-size", "16384"),
        # Open websockets must not hold up a stop; their pages reconnect.
        *("--timeout-graceful-shutdown", "2"),
    ]


def worker() -> list[str]:
    """Return the command of the generation worker."""
    return [
        # In this order: the clock's look, prompts that somebody waits for, the pool.
        *(sys.executable, "-m", "celery", "-A", "game", "worker", "-Q", "clock,duel,generation", "--concurrency", "1"),
        *("-n", "generation@%h", "--loglevel", "INFO"),
        # One worker on one machine has nobody to gossip with.
        *("--without-gossip", "--without-mingle"),
    ]


def trainer() -> list[str]:
    """Return the command of the training worker: one run at a time, in its main process, which a signal reaches at once."""
    return [
        *(sys.executable, "-m", "celery", "-A", "game", "worker", "-Q", "training", "--pool", "solo", "-n", "training@%h"),
        *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
    ]


def scraper() -> list[str]:
    """Return the command of the scraping worker: a few runs at a time, each of which mostly waits for other people's servers.

    Having a thread to spare, it serves the clock too, which need not wait for the batch of a busy generation worker.
    """
    return [
        *(sys.executable, "-m", "celery", "-A", "game", "worker", "-Q", "clock,scraping", "--pool", "threads", "--concurrency", "4"),
        *("-n", "scraping@%h", "--loglevel", "INFO", "--without-gossip", "--without-mingle"),
    ]


def beat(var: Path) -> list[str]:
    """Return the command of the clock that keeps the pool filled."""
    return [sys.executable, "-m", "celery", "-A", "game", "beat", "--schedule", str(var / "beat-schedule"), "--pidfile="]
