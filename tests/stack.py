"""The whole game as `make play` runs it, in processes of its own, against a database and a Redis of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import psycopg
import pytest

from game.embedded import addresses, commands
from game.embedded.processes import spawn, stop
from game.embedded.redis import start_redis, stop_redis

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "birdorbot_stack"
# Tests play faster than any school.
LIMITS = {"RATE_START": "100000/m", "RATE_GUESS": "100000/m", "RATE_SIGN_IN": "100000/m"}
# The form for a run of X asks what it may cost; nothing runs one.
X = {"X_BEARER_TOKEN": "a-token"}


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(condition: Callable[[], bool], *, seconds: float = 30.0, what: str) -> None:
    """Poll until `condition()` is true; fail the test with `what` if it never is."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"After {seconds:g} s still not: {what}")
        time.sleep(0.05)


class Shell:
    """A process that runs code for as long as its settings stay the same."""

    def __init__(self, settings: dict[str, str], log: Path) -> None:
        self.settings = dict(settings)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.shell"],
                env=self.settings,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def run(self, code: str) -> tuple[bool, str]:
        """Run code, and return whether it came to its end, and what it printed or died of."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        done, said = json.loads(self.process.stdout.readline() or '[false, "the shell has died"]')
        return done, said

    def close(self) -> None:
        """End the process, which ends with its input."""
        self.process.communicate(timeout=30)


class Stack:
    """A running game: `base_url` to talk to it, `connect` to look into its database."""

    def __init__(self, *, servers: Path, var: Path) -> None:
        self.var = var
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.database_url = addresses.database_url(servers, DATABASE)
        self.redis_url = addresses.redis_url(var)
        self.env = os.environ | LIMITS | X | {"VAR": str(var), "DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}
        with psycopg.connect(addresses.database_url(servers), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        self.redis = start_redis(var, careless=True)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.shell: Shell | None = None

    def start(self) -> None:
        """Migrate, collect static files, and start web, worker and beat."""
        self.manage("migrate", "--verbosity", "0")
        self.manage("collectstatic", "--noinput", "--verbosity", "0")
        self.start_web()
        self.start_worker()
        self.start_beat()

    def manage(self, *arguments: str) -> str:
        """Run a manage.py command against this game and return what it printed; fail the test if it fails."""
        if arguments[0] == "shell":
            return self._run(arguments[-1])
        command: list[str | Path] = [sys.executable, ROOT / "manage.py", *arguments]
        done = subprocess.run(command, env=self.env, cwd=ROOT, capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.fail(f"manage.py {' '.join(arguments)} exited {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _run(self, code: str) -> str:
        """Do as `manage.py shell -c` does, in a process that stays: the start of one takes longer than most of what tests ask for."""
        if self.shell is None or self.shell.settings != self.env:
            self._end_shell()
            self.shell = Shell(self.env, self.log("shell"))
        done, said = self.shell.run(code)
        if not done:
            pytest.fail(f"In the game's shell:\n{code}\n{said}")
        return said

    def _end_shell(self) -> None:
        if self.shell:
            self.shell.close()
            self.shell = None

    def connect(self) -> psycopg.Connection:
        """Open an autocommitting connection to this game's database."""
        return psycopg.connect(self.database_url, autocommit=True)

    def log(self, name: str) -> Path:
        """Return the log of `web`, `worker` or `beat`."""
        return self.var / "log" / f"{name}.log"

    def start_web(self, application: str = "game.asgi:application", *, name: str = "web", port: int | None = None) -> None:
        """Start the web process, or another one under another name and port, and wait until it accepts connections."""
        self._spawn(name, commands.web(port or self.port, application))
        self._wait_for_log(name, "Uvicorn running")

    def start_worker(self) -> None:
        """Start the generation worker and wait until it takes tasks."""
        self._spawn("worker", commands.worker())
        self._wait_for_log("worker", " ready.")

    def start_beat(self) -> None:
        """Start the clock."""
        self._spawn("beat", commands.beat(self.var))

    def start_trainer(self) -> None:
        """Start the training worker and wait until it takes tasks."""
        self._spawn("trainer", commands.trainer())
        self._wait_for_log("trainer", " ready.")

    def start_scraper(self) -> None:
        """Start the scraping worker and wait until it takes tasks."""
        self._spawn("scraper", commands.scraper())
        self._wait_for_log("scraper", " ready.")

    def stop(self, name: str, *, grace: float = 10.0) -> None:
        """End a process the polite way, and after `grace` seconds the other way."""
        stop(self.processes.pop(name), grace=grace)

    def kill(self, name: str) -> None:
        """End a process and its children by kill -9, in the middle of whatever they do."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """End everything."""
        self._end_shell()
        for name in list(self.processes):
            self.kill(name)
        stop_redis(self.redis)

    def _spawn(self, name: str, command: list[str]) -> None:
        if name in self.processes:
            pytest.fail(f"{name} runs already")
        self.log(name).unlink(missing_ok=True)
        self.processes[name] = spawn(command, log=self.log(name), env=self.env, cwd=ROOT)

    def _wait_for_log(self, name: str, words: str) -> None:
        def said() -> bool:
            if self.processes[name].poll() is not None:
                pytest.fail(f"{name} died:\n{self.log(name).read_text()}")
            return words in self.log(name).read_text()

        wait_for(said, what=f"{name} said {words!r}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say with a test of the running game that failed what the game's processes said last: the next run may not fail."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        for name in sorted(stack.processes):
            last = stack.log(name).read_text(errors="replace").splitlines()[-30:]
            report.sections.append((f"The last of {name}'s log", "\n".join(last)))
    return report


@pytest.fixture(scope="session")
def stack(servers: Path) -> Iterator[Stack]:
    """Run a whole game for the session; its database starts empty but migrated."""
    var = Path(tempfile.mkdtemp(prefix="birdorbot-stack-"))
    stack = Stack(servers=servers, var=var)
    try:
        stack.start()
        yield stack
    finally:
        stack.close()
        shutil.rmtree(var, ignore_errors=True)
