"""A machine that commands start and stop: the words reach them as they are, and nothing of theirs holds us up."""

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from generation.autoscale.command import Commands
from generation.autoscale.drivers import DriverError, Reading
from generation.autoscale.rules import Machine
from tests.stack import wait_for

NOTE = "import sys; from pathlib import Path; Path(sys.argv[1]).write_text(repr(sys.argv[2:]))"


def python(code: str, *words: str) -> list[str]:
    return [sys.executable, "-c", code, *words]


def test_each_command_gets_its_words_as_they_are(tmp_path: Path) -> None:
    started, stopped = tmp_path / "started", tmp_path / "stopped"
    odd = ["$HOME", "*", "; touch gone", "two words", "`id`"]
    machine = Commands(start=python(NOTE, str(started), *odd), stop=python(NOTE, str(stopped)))
    assert machine.read() == Reading(None)
    machine.start()
    assert started.read_text() == repr(odd)
    assert not stopped.exists()
    machine.stop()
    assert stopped.read_text() == "[]"


@pytest.mark.parametrize(("code", "machine"), [(0, Machine.RUNNING), (1, Machine.STOPPED), (3, Machine.STOPPED)])
def test_a_third_command_tells_by_its_exit_code_whether_the_machine_runs(code: int, machine: Machine) -> None:
    assert Commands(start=[], stop=[], state=["sh", "-c", f"exit {code}"]).read() == Reading(machine)


def test_any_other_exit_code_is_no_answer() -> None:
    with pytest.raises(DriverError) as told:
        Commands(start=[], stop=[], state=["sh", "-c", "echo no route to host; exit 255"]).read()
    assert str(told.value) == "AUTOSCALE_STATE exited 255: no route to host"


def test_what_a_command_that_fails_said_is_logged_and_its_last_line_told(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DriverError) as told:
        Commands(start=["sh", "-c", "echo trying; echo no capacity >&2; exit 7"], stop=[]).start()
    assert str(told.value) == "AUTOSCALE_START exited 7: no capacity"
    assert caplog.messages == ["AUTOSCALE_START exited 7. It said:\ntrying\nno capacity"]


def test_a_command_that_says_nothing_and_fails_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DriverError) as told:
        Commands(start=[], stop=["false"]).stop()
    assert str(told.value) == "AUTOSCALE_STOP exited 1: it said nothing"
    assert caplog.messages == []


def test_a_command_that_there_is_not_is_told() -> None:
    with pytest.raises(DriverError) as told:
        Commands(start=["/nowhere/start"], stop=[]).start()
    assert str(told.value) == "AUTOSCALE_START: /nowhere/start: No such file or directory."


def test_a_command_that_does_not_end_is_ended_with_all_its_children(tmp_path: Path) -> None:
    left = tmp_path / "pid"
    with pytest.raises(DriverError) as told:
        Commands(start=["sh", "-c", f"sleep 60 & echo $! > {left}; echo waiting; wait"], stop=[], seconds=0.3).start()
    assert str(told.value) == "AUTOSCALE_START took more than 0.3 seconds and was ended: waiting"
    pid = int(left.read_text())
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, what="the child has ended")


def test_what_a_command_leaves_running_goes_on_and_holds_nobody_up(tmp_path: Path) -> None:
    left = tmp_path / "pid"
    began = time.monotonic()
    Commands(start=["sh", "-c", f"sleep 60 & echo $! > {left}"], stop=[]).start()
    assert time.monotonic() - began < 30
    pid = int(left.read_text())
    os.kill(pid, 0)
    os.kill(pid, 9)
