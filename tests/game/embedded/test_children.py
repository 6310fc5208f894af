"""Processes that end by themselves: started again, and given up with the reason."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from game.embedded import children
from game.embedded.children import Child, Watch
from game.embedded.processes import Problem, spawn, stop


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Give the disk so many free bytes; plenty at first."""

    def free(size: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 0, size))

    free(10**12)
    return free


@pytest.fixture
def made() -> Iterator[Callable[..., Child]]:
    started: list[Child] = []

    def make(log: Path, *words: str) -> Child:
        started.append(Child("The worker", log, partial(spawn, words, log=log)))
        return started[-1]

    yield make
    stop(*(child.process for child in started))


def test_a_killed_process_is_started_again_at_once_with_a_line(made, tmp_path):
    child = made(tmp_path / "log", "sleep", "60")
    first = child.process
    first.kill()
    first.wait()
    said: list[str] = []

    Watch(tmp_path, [child], said.append).look()

    assert said == ["The worker ended (killed by signal 9); starting it again."]
    assert not child.has_ended()
    assert child.process.pid != first.pid


def end_again_and_again(child: Child, monkeypatch: pytest.MonkeyPatch) -> tuple[list[float], list[str], str]:
    """Look after a child until it is given up; return the pauses, what was said, and the last word."""
    pauses: list[float] = []
    said: list[str] = []
    monkeypatch.setattr(children.time, "sleep", pauses.append)
    for _ in range(5):
        child.process.wait()
        try:
            child.revive(said.append)
        except Problem as problem:
            return pauses, said, str(problem)
    pytest.fail("The child was never given up.")


def test_a_process_that_ends_three_times_within_a_minute_is_given_up_with_its_reason(made, tmp_path, monkeypatch):
    log = tmp_path / "log"
    child = made(log, "sh", "-c", "echo 'starting up'; echo 'ImportError: no module named owls, though asked for'; exit 3")
    assert end_again_and_again(child, monkeypatch) == (
        [0.0, 2.0],
        ["The worker ended (exit code 3); starting it again."] * 2,
        f"The worker ended 3 times within a minute (exit code 3); see {log}: ImportError: no module named owls, though asked for",
    )


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'all is well'; exit 3", "exit code 3"),
        ("echo 'ERROR of long ago'; kill -9 $$", "killed by signal 9"),
    ],
)
def test_a_line_of_the_log_that_does_not_say_why_is_left_out(made, tmp_path, monkeypatch, script, reason):
    child = made(tmp_path / "log", "sh", "-c", script)
    _, _, last = end_again_and_again(child, monkeypatch)
    assert last == f"The worker ended 3 times within a minute ({reason}); see {tmp_path / 'log'}"


def test_ends_of_more_than_a_minute_ago_are_forgotten(made, tmp_path):
    child = made(tmp_path / "log", "true")
    child.process.wait()
    child.ends = [children.time.monotonic() - 61] * 10
    said: list[str] = []
    child.revive(said.append)
    assert said == ["The worker ended (exit code 0); starting it again."]


def test_a_process_that_cannot_be_started_again_is_tried_again_and_given_up_with_that_reason(tmp_path, monkeypatch):
    starts = iter([subprocess.Popen(["true"])])

    def start() -> subprocess.Popen[bytes]:
        if first := next(starts, None):
            return first
        raise Problem("PostgreSQL did not start: FATAL: no.")

    child = Child("PostgreSQL", tmp_path / "log", start)
    assert end_again_and_again(child, monkeypatch) == (
        [0.0, 2.0],
        ["PostgreSQL ended (exit code 0); starting it again.", "PostgreSQL did not start: FATAL: no. Trying again."],
        "PostgreSQL did not start: FATAL: no.",
    )


def test_what_an_ended_process_left_behind_is_ended_before_the_next_start(made, tmp_path):
    child = made(tmp_path / "log", "sh", "-c", "sleep 60 & echo $!; wait")
    while not (tmp_path / "log").read_text().strip():
        pass
    left = int((tmp_path / "log").read_text())
    child.process.kill()
    child.process.wait()
    child.revive(lambda line: None)
    status = Path(f"/proc/{left}/status")
    assert not status.exists() or "State:\tZ" in status.read_text()


def test_a_process_that_ends_on_a_full_disk_ends_the_game_with_the_disk_named(made, tmp_path, roomy):
    child = made(tmp_path / "log", "true")
    child.process.wait()
    roomy(5_000_000)
    with pytest.raises(Problem) as full:
        Watch(tmp_path, [child], pytest.fail).look()
    assert str(full.value) == (
        f"The disk of VAR is full: 5 MB are free in {tmp_path}. Make room, or set VAR to another disk. The worker could not go on."
    )


def test_a_disk_that_runs_full_is_told_every_ten_seconds_until_there_is_room(tmp_path, roomy, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(children.time, "monotonic", lambda: now)
    said: list[str] = []
    watch = Watch(tmp_path, [], said.append)
    for seconds, free in [(0, 10**9), (5, 42_000_000), (10, 42_000_000), (15, 41_000_000), (20, 7_000_000), (30, 10**9)]:
        now = 1000.0 + seconds
        roomy(free)
        watch.look()
    assert said == [
        f"The disk of VAR is nearly full: 42 MB are free in {tmp_path}. Make room.",
        f"The disk of VAR is full: 7 MB are free in {tmp_path}. Make room, or set VAR to another disk.",
    ]
