"""`make play`: everything a game needs, started in order, watched, and ended together.

`VAR` names the folder of all data, `PORT` the port. DATABASE_URL and REDIS_URL point at servers
run elsewhere; what is not named is started here.
"""

import errno
import fcntl
import importlib.util
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NoReturn

import psycopg
import redis.exceptions

from game.embedded import addresses, commands
from game.embedded.children import Child, Watch
from game.embedded.disk import check_disk
from game.embedded.postgres import start_postgres, stop_postgres
from game.embedded.preparation import check_settings, prepare
from game.embedded.processes import Problem, die_with_parent, spawn, stop
from game.embedded.redis import start_redis, stop_redis

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRESS_SECONDS = 3.0
# A category whose model can't fill it, or that has no human tweets, does not keep the others waiting for longer.
PATIENCE_SECONDS = 20.0
TRAINER_SECONDS = 25.0


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
    """Start everything, announce it, and watch until it can't go on or a signal comes."""
    port = read_port(os.environ.get("PORT") or "8000")
    var = make_var(Path(os.environ.get("VAR") or "var").resolve())
    os.environ["VAR"] = str(var)
    with ExitStack() as cleanup:
        cleanup.enter_context(only_one(var))
        check_port(port)
        check_disk(var)
        check_settings()
        say("Starting PostgreSQL and Redis …")
        servers = start_servers(var, cleanup)
        prepare(say)
        watch = Watch(var, [*servers, *start_processes(var, port, cleanup)], say)
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, watch)
        say(f"Ready: {url}")
        while True:
            watch.look()
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


def make_var(var: Path) -> Path:
    """Make the folder of all data, or say why it can't be."""
    try:
        var.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise Problem(f"VAR is '{var}', which is a file: use a folder.") from None
    except OSError as error:
        raise Problem(f"VAR is '{var}': {error.strerror}. Use a folder that you may write to.") from None
    if not os.access(var, os.W_OK | os.X_OK):
        raise Problem(f"VAR is '{var}': nothing can be written there. Use a folder that you may write to.")
    return var


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


def start_servers(var: Path, cleanup: ExitStack) -> list[Child]:
    """Start what the environment does not name, and ask what it names for a sign of life."""
    children = []
    if url := os.environ.get("DATABASE_URL"):
        try:
            psycopg.connect(url, connect_timeout=10).close()
        except psycopg.OperationalError as error:
            raise Problem(f"The PostgreSQL of DATABASE_URL does not let us in: {error}") from None
    else:
        cleanup.callback(addresses.drop_socket_folder, addresses.postgres_folder(var))
        children.append(Child("PostgreSQL", log_of(var, "postgres"), partial(start_postgres, var), stop_postgres))
        cleanup.callback(children[-1].end)
    if url := os.environ.get("REDIS_URL"):
        try:
            with redis.Redis.from_url(url, socket_connect_timeout=10) as client:
                client.ping()
        except redis.exceptions.RedisError as error:
            raise Problem(f"The Redis of REDIS_URL does not let us in: {error}") from None
    else:
        cleanup.callback(addresses.drop_socket_folder, addresses.redis_folder(var))
        children.append(Child("Redis", log_of(var, "redis"), partial(start_redis, var), stop_redis))
        cleanup.callback(children[-1].end)
    return children


def start_processes(var: Path, port: int, cleanup: ExitStack) -> list[Child]:
    """Start web, workers and beat, and a training worker where torch is installed."""
    children: list[Child] = []
    cleanup.callback(lambda: stop(*(child.process for child in children), grace=5.0))
    # If we are killed, web and beat die at once and free the port; the worker has a child to take along.
    for title, name, command, death_signal in (
        ("The web server", "web", commands.web(port), signal.SIGKILL),
        ("The worker", "worker", commands.worker(), signal.SIGTERM),
        ("The scraping worker", "scraping", commands.scraper(), signal.SIGKILL),
        ("The clock (beat)", "beat", commands.beat(var), signal.SIGKILL),
    ):
        log = log_of(var, name)
        children.append(Child(title, log, partial(spawn, command, log=log, cwd=ROOT, death_signal=death_signal)))
    if importlib.util.find_spec("torch"):
        log = log_of(var, "training")
        start = partial(spawn, commands.trainer(), log=log, cwd=ROOT)
        children.append(Child("The training worker", log, start))
        # First of all to be told to stop: a run writes a checkpoint before it ends.
        cleanup.callback(lambda: stop(children[-1].process, grace=TRAINER_SECONDS))
    return children


def log_of(var: Path, name: str) -> Path:
    """Return the log of a process."""
    return var / "log" / f"{name}.log"


def wait_until_ready(url: str, watch: Watch) -> None:
    """Return once a round can be played in every category that has a model; until then say every few seconds what has changed."""
    from game.embedded.readiness import ask  # after Django's setup: it counts tweets

    say("Starting the game …")
    said, next_line = "", time.monotonic() + PROGRESS_SECONDS
    playable_since = None
    while True:
        watch.look()
        answer = ask(f"{url}/readyz")
        now = time.monotonic()
        playable_since = (playable_since or now) if answer.playable else None
        if answer.complete or (playable_since and now - playable_since > PATIENCE_SECONDS):
            return
        if answer.line not in ("", said) and now > next_line:
            say(answer.line)
            said, next_line = answer.line, now + PROGRESS_SECONDS
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
