"""One look after another: the machine is told what is due, once, and people hear of it in a line."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from celery import current_app
from django.core.management import CommandError, call_command
from django.db import connection

from game.database import Lock
from generation.autoscale import loop, rules
from generation.autoscale.command import Commands
from generation.autoscale.drivers import DriverError, Reading
from generation.autoscale.loop import Autoscaler
from generation.autoscale.quiet import Unreachable, no_more_tasks
from generation.models import Batch, ModelVersion
from tests.stack import free_port

GPU = "gpu@cloud-1"


class Machine(Commands):
    """A machine whose commands leave a line each, and which runs while a file is there."""

    def __init__(self, folder: Path) -> None:
        self.diary, self.on = folder / "diary", folder / "on"
        self.diary.touch()
        super().__init__(
            start=["sh", "-c", f"echo start >> {self.diary}; touch {self.on}"],
            stop=["sh", "-c", f"echo stop >> {self.diary}; rm {self.on}"],
            state=["test", "-e", str(self.on)],
        )

    @property
    def told(self) -> list[str]:
        return self.diary.read_text().split()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def now(db: None) -> datetime:
    """The database's clock, which stands still within a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        return cursor.fetchone()[0]


@pytest.fixture
def waiting(model: ModelVersion, now: datetime) -> Batch:
    return Batch.objects.create(model_version=model, key="old", wanted=1, created_at=now - timedelta(minutes=2), lease_until=now)


@pytest.fixture
def idle(model: ModelVersion, now: datetime) -> Batch:
    """The last batch of a worker, twenty minutes ago."""
    ended = now - timedelta(minutes=20)
    return Batch.objects.create(model_version=model, key="old", wanted=1, state="done", worker=GPU, finished_at=ended, lease_until=ended)


def autoscaler(machine: Commands, *, dry_run: bool = False) -> tuple[Autoscaler, list[str]]:
    said: list[str] = []
    return Autoscaler(driver=machine, say=said.append, dry_run=dry_run), said


def looks(machine: Commands, times: int, *, dry_run: bool = False) -> list[str]:
    """Look so many times; return what was said."""
    scaler, said = autoscaler(machine, dry_run=dry_run)
    for _ in range(times):
        scaler.look()
    scaler.close()
    return said


def test_a_job_that_waits_starts_the_machine_once(machine: Machine, waiting: Batch, now: datetime) -> None:
    since = waiting.created_at
    assert looks(machine, 3) == [
        f"start: A job waits since {since:%H:%M:%S}.",
        f"wait: Idle since {now:%H:%M:%S}: the machine stops at {now + timedelta(minutes=15):%H:%M:%S}.",
    ]
    assert machine.told == ["start"]


def test_a_machine_that_takes_its_time_is_not_told_twice(machine: Machine, waiting: Batch, now: datetime) -> None:
    machine._start = ["sh", "-c", f"echo start >> {machine.diary}"]
    assert looks(machine, 3)[1:] == [f"wait: The machine was told to start at {now:%H:%M:%S}."]
    assert machine.told == ["start"]


def test_an_idle_machine_is_stopped(machine: Machine, idle: Batch) -> None:
    machine.on.touch()
    assert looks(machine, 2) == [f"stop: Idle since {idle.finished_at:%H:%M:%S}.", "wait: Nothing waits, and the machine is off."]
    assert machine.told == ["stop"]


def test_a_machine_whose_worker_took_a_job_between_look_and_stop_is_not_stopped(machine: Machine, idle: Batch, now: datetime) -> None:
    class Meanwhile(Machine):
        def read(self) -> Reading:
            Batch.objects.filter(key="new").update(state="running", worker=GPU, lease_until=now + timedelta(minutes=1))
            return super().read()

    Batch.objects.create(model_version=idle.model_version, key="new", wanted=1, created_at=now - timedelta(hours=1), lease_until=now)
    machine.on.touch()
    said = looks(Meanwhile(machine.on.parent), 2)
    assert said[1:] == ["wait: Its worker took a job in the meantime.", "wait: Its worker is at work."]
    assert said[0].startswith(f"stop: Idle since {idle.finished_at:%H:%M:%S}, though a job waits since ")
    assert machine.told == []


def test_a_dry_run_says_it_and_leaves_the_machine_alone(machine: Machine, waiting: Batch) -> None:
    line = f"would start: A job waits since {waiting.created_at:%H:%M:%S}."
    assert looks(machine, 2, dry_run=True) == [line, line]
    assert machine.told == []


def test_a_start_that_fails_is_told_and_tried_again_after_a_while(machine: Machine, waiting: Batch, now: datetime) -> None:
    machine._start = ["sh", "-c", "echo no capacity; exit 4"]
    scaler, said = autoscaler(machine)
    with pytest.raises(DriverError, match=r"^AUTOSCALE_START exited 4: no capacity$"):
        scaler.look()
    scaler.look()
    since, due = waiting.created_at, now + rules.FIRST_PAUSE
    assert said[1:] == [f"wait: A job waits since {since:%H:%M:%S}, but the last start came to nothing: the next one is at {due:%H:%M:%S}."]
    scaler.close()


def test_whatever_is_away_is_told_once_and_waited_for_longer_and_longer(machine: Machine, db: None, settings) -> None:
    settings.AUTOSCALE_CHECK_SECONDS = 50.0
    machine._state = ["sh", "-c", "test -e mended || { echo no route; exit 255; }"]
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 5:
            machine._state = ["false"]
        if len(waits) == 6:
            raise KeyboardInterrupt

    said: list[str] = []
    scaler = Autoscaler(driver=machine, say=said.append, sleep=sleep)
    with pytest.raises(KeyboardInterrupt):
        scaler.run()
    scaler.close()
    assert waits == [100, 200, 300, 300, 300, 50]
    assert said == ["AUTOSCALE_STATE exited 255: no route", "wait: Nothing waits, and the machine is off."]


@pytest.fixture
def commands(settings, machine: Machine) -> None:
    settings.AUTOSCALE_DRIVER = "command"
    settings.AUTOSCALE_START, settings.AUTOSCALE_STOP, settings.AUTOSCALE_STATE = machine._start, machine._stop, machine._state


def test_the_command_looks_once(commands: None, machine: Machine, waiting: Batch, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("autoscale", "--once")
    assert capsys.readouterr().out == f"start: A job waits since {waiting.created_at:%H:%M:%S}.\n"
    assert machine.told == ["start"]


def test_a_second_autoscaler_is_refused(commands: None, machine: Machine, waiting: Batch) -> None:
    other = Lock(loop._LOCK)
    assert other.won
    with pytest.raises(CommandError, match=r"^Another autoscaler is at work: one is enough, and two would disagree\.$"):
        call_command("autoscale", "--once")
    other.release()
    assert machine.told == []
    call_command("autoscale", "--once")
    call_command("autoscale", "--once")
    assert machine.told == ["start"]


@pytest.mark.parametrize(
    ("driver", "line"),
    [
        ("none", "AUTOSCALE_DRIVER is not set: use ec2 or command."),
        ("ec2", "AUTOSCALE_DRIVER is ec2, which needs AUTOSCALE_EC2_INSTANCE and AUTOSCALE_EC2_REGION."),
        ("command", "AUTOSCALE_DRIVER is command, which needs AUTOSCALE_START and AUTOSCALE_STOP."),
    ],
)
def test_settings_that_do_not_suffice_are_told_in_one_line(settings, driver: str, line: str) -> None:
    settings.AUTOSCALE_DRIVER = driver
    with pytest.raises(CommandError) as told:
        call_command("autoscale", "--once")
    assert str(told.value) == line


def test_without_redis_no_worker_can_be_asked_and_the_machine_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_app.conf, "broker_write_url", f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(Unreachable, match=r"^Redis does not answer: Error 111 connecting to 127\.0\.0\.1"), no_more_tasks(names=[GPU]):
        pytest.fail("as if they had been asked")
