"""`make play` as a stranger meets it: the real supervisor on a fresh folder."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.typing import Origin

from game.embedded import readiness, supervise
from game.embedded.children import Watch
from game.embedded.processes import Problem
from game.embedded.readiness import Answer
from tests.stack import ROOT, free_port, wait_for

COMMAND = [sys.executable, "-m", "game.embedded.supervise"]
OURS = {"DATABASE_URL", "REDIS_URL", "VAR", "PORT", "SECRET_KEY", "DJANGO_SETTINGS_MODULE", "DEMO_PASSWORD"}


def environment(**changes: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in OURS} | changes


def run(**changes: str) -> tuple[int, str]:
    """Run a supervisor that is to refuse; return its exit code and the last line it said."""
    done = subprocess.run(
        COMMAND, cwd=ROOT, env=environment(**changes), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
    )
    return done.returncode, done.stdout.splitlines()[-1]


@dataclass
class Game:
    """A supervisor that said Ready."""

    process: subprocess.Popen[str]
    url: str
    lines: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, word: str) -> psutil.Process:
        """Return the child whose command holds `word`."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if any(word in part for part in child.cmdline()))

    def has_another(self, word: str, pid: int) -> bool:
        """Say whether a successor of the process `pid` runs."""
        try:
            return self.child(word).pid != pid
        except (StopIteration, psutil.NoSuchProcess):
            return False

    def is_whole(self, word: str, pid: int) -> bool:
        """Say whether a successor runs, a round can be started, Redis answers, and a new socket gets the board."""
        if not self.has_another(word, pid):
            return False
        try:
            with httpx.Client(base_url=self.url, follow_redirects=True) as client:
                ready = client.get("/readyz").json()
                page = client.get("/play/donald-trump/")
            with connect(f"{self.url.replace('http', 'ws')}/live/leaderboard/all/", origin=Origin(self.url)) as socket:
                board = socket.recv(timeout=5)
        except (httpx.HTTPError, OSError, WebSocketException):
            return False
        return ready["database"] and ready["redis"] and 'value="machine"' in page.text and 'id="board"' in str(board)

    def next_line(self) -> str:
        """Return the next line that the supervisor says."""
        assert self.process.stdout
        return self.process.stdout.readline().rstrip()


def heed_hang_ups() -> None:
    """Let the game start as from a terminal, though the tests may run under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def lives(process: psutil.Process) -> bool:
    """Say whether a process has not ended; a zombie has, whoever inherited it has yet to take note."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("play")


@pytest.fixture
def play(var: Path) -> Iterator[Callable[..., Game]]:
    games: list[Game] = []

    def start(**changes: str) -> Game:
        port = free_port()
        began = time.monotonic()
        # As many tweets as a round needs: hundreds would keep this machine busy in every test.
        few = {"GENERATION_READY": "20", "GENERATION_READY_AT_MOST": "20"}
        env = environment(VAR=str(var), PORT=str(port), DEMO_PASSWORD="a password for the demo", **few | changes)
        process = subprocess.Popen(
            COMMAND, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=heed_hang_ups
        )
        game = Game(process, f"http://127.0.0.1:{port}")
        games.append(game)
        assert process.stdout
        for line in process.stdout:
            game.lines.append(line.rstrip())
            if line.startswith("Ready"):
                game.seconds = time.monotonic() - began
                return game
        pytest.fail("\n".join(["The game did not get ready:", *game.lines]))

    yield start
    for game in games:
        if game.process.poll() is None:
            game.process.terminate()
        try:
            game.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            # Its children die with it; left alone it would have the next test's game refused.
            game.process.kill()
            game.process.communicate()
            raise


@pytest.fixture(scope="module", autouse=True)
def clean(var: Path) -> Iterator[None]:
    yield
    shutil.rmtree(var, ignore_errors=True)


@pytest.mark.timeout(300)
def test_ready_means_that_a_round_can_be_played_in_every_category(play, var):
    game = play()
    assert game.lines[-1] == f"Ready: {game.url}"
    with httpx.Client(base_url=game.url, follow_redirects=True) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["categories"]) == (200, {"donald-trump": True, "hillary-clinton": True})
        slugs = re.findall(r'href="/play/([a-z-]+)/"', client.get("/").text)
        page = client.get(f"/play/{slugs[0]}/")
    assert "ERROR" not in (var / "log" / "web.log").read_text()
    assert page.status_code == 200
    assert 'value="human"' in page.text
    assert 'value="machine"' in page.text


@pytest.mark.timeout(300)
def test_a_second_start_is_quick_keeps_the_data_and_prints_no_password(play, var):
    first = play()
    key = (var / "secret-key").read_text()
    first.process.send_signal(signal.SIGINT)
    first.process.communicate(timeout=60)

    second = play()

    assert second.seconds <= 12
    assert [line for line in second.lines if "password" in line.lower()] == []
    assert (var / "secret-key").read_text() == key


@pytest.mark.timeout(300)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_child(play, signum):
    game = play()
    children = game.descendants()
    game.process.send_signal(signum)
    rest, _ = game.process.communicate(timeout=60)

    assert (game.process.returncode, rest) == (0, "Stopped.\n")
    assert len(children) >= 7  # PostgreSQL, Redis, web, worker, beat, training worker, scraping worker
    assert [child for child in children if lives(child)] == []


@pytest.mark.timeout(300)
def test_a_killed_supervisor_takes_every_child_along(play):
    if sys.platform != "linux":
        pytest.skip("the kernel's death signal is Linux's")
    game = play()
    children = game.descendants()
    game.process.kill()
    wait_for(lambda: not any(map(lives, children)), what="every child ended")


@pytest.mark.timeout(300)
def test_whatever_is_killed_is_started_again_and_the_game_goes_on(play):
    game = play()
    for word, name in [
        ("postgres", "PostgreSQL"),
        ("redis-server", "Redis"),
        ("uvicorn", "The web server"),
        ("generation", "The worker"),
        ("beat", "The clock (beat)"),
        ("training", "The training worker"),
        ("scraping", "The scraping worker"),
    ]:
        killed = game.child(word)
        killed.kill()
        assert game.next_line() == f"{name} ended (killed by signal 9); starting it again."
        wait_for(lambda: game.is_whole(word, killed.pid), seconds=15, what=f"the game goes on without its old {name}")  # noqa: B023
    assert game.process.poll() is None


@pytest.mark.timeout(300)
def test_a_child_that_dies_again_and_again_ends_the_game_and_is_named(play, var):
    game = play()
    for _ in range(2):
        beat = game.child("beat")
        beat.kill()
        assert game.next_line() == "The clock (beat) ended (killed by signal 9); starting it again."
        wait_for(lambda: game.has_another("beat", beat.pid), what="beat runs again")  # noqa: B023
    children = game.descendants()
    game.child("beat").kill()
    rest, _ = game.process.communicate(timeout=60)

    assert game.process.returncode == 1
    assert rest == f"The clock (beat) ended 3 times within a minute (killed by signal 9); see {var / 'log' / 'beat.log'}\n"
    assert [child for child in children if lives(child)] == []


@pytest.mark.timeout(300)
def test_a_second_game_on_the_same_folder_is_refused_and_harms_nothing(play, var):
    game = play()
    refusal = run(VAR=str(var), PORT=str(free_port()))
    assert refusal == (1, f"A game runs already on {var} (process {game.process.pid}): stop it, or set VAR to another folder.")
    assert httpx.get(f"{game.url}/readyz").status_code == 200


def test_a_port_in_use_is_refused_in_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert run(VAR=str(tmp_path), PORT=str(port)) == (
            1,
            f"Port {port} is in use: choose another one, as in make play PORT={port + 1}.",
        )


@pytest.mark.parametrize("text", ["", "8x", "0", "65536", "-1"])
def test_a_port_that_is_none_is_refused(text):
    with pytest.raises(Problem, match=re.escape(f"PORT is {text!r}: use a number from 1 to 65535.")):
        supervise.read_port(text)


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_disk_that_fills_up_is_told_in_one_line():
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError, match="No space left") as caught:
        full.write(b"x")
    assert supervise.describe(caught.value) == "The disk is full: make room, or set VAR to a folder on another disk."


def test_a_database_elsewhere_that_does_not_answer_is_told_in_one_line(tmp_path):
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    code, line = run(VAR=str(tmp_path), PORT=str(free_port()), DATABASE_URL=url)
    assert code == 1
    assert line.startswith("The PostgreSQL of DATABASE_URL does not let us in: ")


def test_a_setting_that_makes_no_sense_is_told_in_one_line(tmp_path):
    refusal = run(VAR=str(tmp_path), PORT=str(free_port()), GENERATION_READY="many")
    assert refusal == (1, "GENERATION_READY is 'many': use a whole number from 10 to 1000000.")
    assert not (tmp_path / "postgres").exists()


def test_a_folder_of_data_that_is_a_file_is_told_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    assert run(VAR=str(tmp_path / "file"), PORT=str(free_port())) == (1, f"VAR is '{tmp_path / 'file'}', which is a file: use a folder.")
    assert run(VAR=str(tmp_path / "file" / "var"), PORT=str(free_port())) == (
        1,
        f"VAR is '{tmp_path / 'file' / 'var'}': Not a directory. Use a folder that you may write to.",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own takes root")
def test_a_first_start_without_network_is_told_in_one_line(tmp_path):
    if subprocess.run(["unshare", "--net", "true"]).returncode:
        pytest.skip("this container may not make a network of its own")
    command = ["unshare", "--net", *COMMAND]
    # The pip of another user has no cached copy.
    env = environment(VAR=str(tmp_path), PORT=str(free_port()), PIP_NO_CACHE_DIR="1")
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "is there a network?" in done.stderr


@pytest.mark.parametrize(
    ("answers", "waited"),
    [
        ([Answer(playable=True, complete=True)], 0.0),
        ([Answer(line="The models are writing."), Answer(playable=True, line="The models are writing.")], 20.0),
    ],
)
def test_a_category_that_stays_behind_is_waited_for_no_longer_than_twenty_seconds(tmp_path, monkeypatch, answers, waited):
    clock = 100.0

    def sleep(seconds: float) -> None:
        nonlocal clock
        clock += seconds

    monkeypatch.setattr(supervise.time, "sleep", sleep)
    monkeypatch.setattr(supervise.time, "monotonic", lambda: clock)
    monkeypatch.setattr(readiness, "ask", lambda url: answers.pop(0) if len(answers) > 1 else answers[0])
    supervise.wait_until_ready("http://127.0.0.1:1", Watch(tmp_path, [], pytest.fail))
    assert clock - 100.0 == pytest.approx(waited, abs=0.5)
