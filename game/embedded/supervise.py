"""`make play`: everything a game needs, started in order, watched, and ended together.

`VAR` names the folder of all data, `PORT` the port. DATABASE_URL and REDIS_URL point at servers
run elsewhere; what is not named is started here.
"""

import errno
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NoReturn

import psycopg
import redis.exceptions

from game.embedded import addresses, commands
from game.embedded.postgres import start_postgres, stop_postgres
from game.embedded.preparation import prepare
from game.embedded.processes import Problem, die_with_parent, last_line, spawn, stop
from game.embedded.redis import start_redis, stop_redis

ROOT = Path(__file__).resolve().parent.parent.parent
FIRST_START_BYTES = 500_000_000
LATER_START_BYTES = 100_000_000
PROGRESS_SECONDS = 3.0


def main() -> int:
    """Run the game until it is told to stop; return the exit code."""
    os.chdir(ROOT)
    if "MAKELEVEL" in os.environ:
        die_with_parent(os.getppid())
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup ignores the hang-up, and means it.
        if signum != signal.SIGHUP or signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, signal.default_int_handler)
    try:
        run()
    except KeyboardInterrupt:
        say("Stopped.")
        return 0
    except (Problem, OSError) as problem:
        sys.stderr.write(f"{describe(problem)}\n")
        return 1


def describe(problem: Problem | OSError) -> str:
    """Say in one line what is wrong."""
    if isinstance(problem, OSError) and problem.errno == errno.ENOSPC:
        return "The disk is full: make room, or set VAR to a folder on another disk."
    if isinstance(problem, OSError) and problem.filename:
        return f"{problem.strerror}: {problem.filename}"
    return " ".join(str(problem).split())


def run() -> NoReturn:
    """Start everything, announce it, and watch until a process ends or a signal comes."""
    var = Path(os.environ.get("VAR") or "var").resolve()
    port = read_port(os.environ.get("PORT") or "8000")
    var.mkdir(parents=True, exist_ok=True)
    with ExitStack() as cleanup:
        cleanup.enter_context(only_one(var))
        check_port(port)
        check_disk(var)
        os.environ["VAR"] = str(var)
        say("Starting PostgreSQL and Redis …")
        start_servers(var, cleanup)
        prepare(say)
        processes = start_processes(var, port, cleanup)
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, processes, var)
        say(f"Ready: {url}")
        while True:
            check_alive(processes, var)
            time.sleep(0.25)


def say(line: str) -> None:
    """Print a line of progress."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def read_port(text: str) -> int:
    """Return the port, or refuse what is none."""
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise Problem(f"PORT is {text!r}: use a number from 1 to 65535.")


@contextmanager
def only_one(var: Path) -> Iterator[None]:
    """Hold the lock of `var`, or say who does."""
    with (var / "supervisor.pid").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(f"A game runs already on {var} (process {_read(file)}): stop it, or set VAR to another folder.") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def check_port(port: int) -> None:
    """Refuse a port that we cannot listen on."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except PermissionError:
        raise Problem(f"Port {port} is for root only: choose another one, as in make play PORT=8000.") from None
    except OSError:
        raise Problem(f"Port {port} is in use: choose another one, as in make play PORT={port + 1 if port < 65535 else 8000}.") from None


def check_disk(var: Path) -> None:
    """Refuse to start where the data would not fit."""
    needed = LATER_START_BYTES if addresses.postgres_folder(var).exists() else FIRST_START_BYTES
    free = shutil.disk_usage(var).free
    if free < needed:
        sizes = f"{needed // 1_000_000} MB are needed, {free // 1_000_000} MB are free"
        raise Problem(f"Too little room in {var}: {sizes}. Make room, or set VAR to a folder on another disk.")


def start_servers(var: Path, cleanup: ExitStack) -> None:
    """Start what the environment does not name, and ask what it names for a sign of life."""
    if url := os.environ.get("DATABASE_URL"):
        try:
            psycopg.connect(url, connect_timeout=10).close()
        except psycopg.OperationalError as error:
            raise Problem(f"The PostgreSQL of DATABASE_URL does not let us in: {error}") from None
    else:
        cleanup.callback(stop_postgres, start_postgres(var))
    if url := os.environ.get("REDIS_URL"):
        try:
            with redis.Redis.from_url(url, socket_connect_timeout=10) as client:
                client.ping()
        except redis.exceptions.RedisError as error:
            raise Problem(f"The Redis of REDIS_URL does not let us in: {error}") from None
    else:
        cleanup.callback(stop_redis, start_redis(var))


def start_processes(var: Path, port: int, cleanup: ExitStack) -> dict[str, subprocess.Popen[bytes]]:
    """Start web, worker and beat."""
    processes: dict[str, subprocess.Popen[bytes]] = {}
    cleanup.callback(lambda: stop(*processes.values(), grace=5.0))
    # If we are killed, web and beat die at once and free the port; the worker has a child to take along.
    for name, command, death_signal in (
        ("web", commands.web(port), signal.SIGKILL),
        ("worker", commands.worker(), signal.SIGTERM),
        ("beat", commands.beat(var), signal.SIGKILL),
    ):
        processes[name] = spawn(command, log=log_of(var, name), cwd=ROOT, death_signal=death_signal)
    return processes


def log_of(var: Path, name: str) -> Path:
    """Return the log of a process."""
    return var / "log" / f"{name}.log"


def check_alive(processes: dict[str, subprocess.Popen[bytes]], var: Path) -> None:
    """Refuse to go on without one of the processes."""
    for name, process in processes.items():
        if process.poll() is not None:
            how = f"ended with code {process.returncode}" if process.returncode >= 0 else f"was killed by signal {-process.returncode}"
            log = log_of(var, name)
            raise Problem(f"The {name} process {how}: {last_line(log)} (all of it in {log})")


def wait_until_ready(url: str, processes: dict[str, subprocess.Popen[bytes]], var: Path) -> None:
    """Return once a round can be played; until then say every few seconds what has changed."""
    from game.embedded.readiness import ask  # after Django's setup: it counts tweets

    say("Starting the game …")
    said, next_line = "", time.monotonic() + PROGRESS_SECONDS
    while True:
        check_alive(processes, var)
        ready, state = ask(f"{url}/readyz")
        if ready:
            return
        if state not in ("", said) and time.monotonic() > next_line:
            say(state)
            said, next_line = state, time.monotonic() + PROGRESS_SECONDS
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
