"""The real thing: a queue that waits, two commands, a worker that they start and end, and the autoscaler between them."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any
from uuid import uuid4

import psutil
import psycopg
import pytest

from tests.generation.conftest import copy_model
from tests.stack import ROOT, Stack, wait_for

WORKER = "gpu@rented"
SETTINGS = {
    "AUTOSCALE_DRIVER": "command",
    "AUTOSCALE_AFTER_SECONDS": "0.5",
    # Long enough for a worker to begin.
    "AUTOSCALE_IDLE_MINUTES": "0.15",
    "AUTOSCALE_CHECK_SECONDS": "0.2",
    # On a busy machine a model is loaded for seconds, in which nothing is renewed.
    "GENERATION_LEASE_SECONDS": "5",
    # Nothing but what a test asks for.
    "GENERATION_READY": "10",
    "PGAPPNAME": "autoscale",
}
REGISTER = """
from pathlib import Path
from game.pool.models import Category
from generation.versions import promote_model, register_model
category = Category.objects.create(slug={slug!r}, name="Starlings")
model = promote_model(model_version=register_model(category=category, folder=Path({folder!r})), by=None)
print(model.pk)
"""

QUIET = """
import time
from generation.autoscale.quiet import no_more_tasks
from generation.models import Batch
from generation.tasks import run_batch
with no_more_tasks(names=[{worker!r}]) as hush:
    run_batch.delay({batch})
    time.sleep(1)
    print(hush.held, Batch.objects.get(pk={batch}).state)
"""


class Rented:
    """A machine of which there is one worker, and an autoscaler that keeps it."""

    def __init__(self, stack: Stack, connection: psycopg.Connection, model: int, folder: Path) -> None:
        self.stack, self.connection, self.model = stack, connection, model
        self.pid_file, self.log = folder / "pid", folder / "worker.log"

    def start(self) -> None:
        """Start the autoscaler with commands that start and end the worker."""
        worker = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "game",
            "worker",
            "-Q",
            "clock,duel,generation",
            "--concurrency",
            "1",
            "-n",
            WORKER,
            "--without-mingle",
        ]
        begin = f"setsid {' '.join(map(quote, worker))} --loglevel INFO >> {self.log} 2>&1 & echo $! > {self.pid_file}"
        # Not kill -0: where nobody looks after orphans a dead one stays a zombie.
        lives = f"grep -qs celery /proc/$(cat {self.pid_file})/cmdline"
        end = f"kill $(cat {self.pid_file}) && while {lives}; do sleep 0.05; done"
        self.stack.env |= SETTINGS | {
            "AUTOSCALE_START": f"sh -c {quote(begin)}",
            "AUTOSCALE_STOP": f"sh -c {quote(end)}",
            "AUTOSCALE_STATE": f"sh -c {quote(f'{lives} || exit 1')}",
        }
        self.stack._spawn("autoscale", [sys.executable, str(ROOT / "manage.py"), "autoscale"])

    def batch(self, wanted: int) -> int:
        """Let a batch wait."""
        query = """
            INSERT INTO generation_batch (model_version_id, key, wanted, state, tries, made, kept, dropped, error, worker, lease_until)
            VALUES (%s, %s, %s, 'pending', 0, 0, 0, '{}', '', '', now()) RETURNING id
        """
        return self._one(query, self.model, str(uuid4()), wanted)[0]

    def row(self, batch: int) -> tuple[str, int, int, str]:
        """Return state, tries, kept, worker of a batch."""
        state, tries, kept, worker = self._one("SELECT state, tries, kept, worker FROM generation_batch WHERE id = %s", batch)
        return state, tries, kept, worker

    def cut_connections(self) -> int:
        """End the autoscaler's connections to PostgreSQL, as a restart of that would; return how many there were."""
        return self._one("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = %s", "autoscale")[0]

    def _one(self, query: str, *values: object) -> tuple[Any, ...]:
        row = self.connection.execute(query, values).fetchone()
        assert row
        return row

    def wait_until(self, batch: int, state: str) -> None:
        wait_for(lambda: self.row(batch)[0] in (state, "failed"), what=f"batch {batch} is {state}", seconds=90)
        error = self._one("SELECT error FROM generation_batch WHERE id = %s", batch)[0]
        assert self.row(batch)[0] == state, error

    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def runs(self) -> bool:
        return self.pid_file.exists() and psutil.pid_exists(self.pid()) and psutil.Process(self.pid()).status() != psutil.STATUS_ZOMBIE

    def kill(self) -> None:
        """Pull the plug."""
        os.killpg(self.pid(), signal.SIGKILL)

    def said(self) -> list[str]:
        """Return the lines of the autoscaler but for their times: what it decided."""
        lines = self.stack.log("autoscale").read_text().splitlines()
        return [line.split(" since ")[0] for line in lines if line.startswith(("start", "stop"))]


@pytest.fixture
def rented(stack: Stack, tmp_path: Path) -> Iterator[Rented]:
    """A game whose own worker and clock stand still, and one more category."""
    for name in ("beat", "worker"):
        stack.stop(name)
    slug = f"starlings-{uuid4().hex[:8]}"
    folder = copy_model(tmp_path / "model", name=slug, category=slug)
    before = dict(stack.env)
    with stack.connect() as connection:
        asleep = [row[0] for row in connection.execute("UPDATE pool_category SET active = false WHERE active RETURNING id")]
        model = int(stack.manage("shell", "--verbosity", "0", "-c", REGISTER.format(slug=slug, folder=str(folder))))
        machine = Rented(stack, connection, model, tmp_path)
        yield machine
        if "autoscale" in stack.processes:
            stack.stop("autoscale")
        if machine.runs():
            machine.kill()
        connection.execute("UPDATE pool_category SET active = id = ANY(%s)", [asleep])
    stack.env = before
    stack.start_worker()
    stack.start_beat()


@pytest.mark.timeout(400)
def test_a_machine_is_there_while_there_is_work_and_what_dies_with_it_is_done_by_the_next(stack: Stack, rented: Rented) -> None:
    batch = rented.batch(wanted=20)
    rented.start()
    rented.wait_until(batch, "done")
    assert rented.row(batch) == ("done", 1, 20, WORKER)
    assert rented.cut_connections() >= 2
    wait_for(lambda: not rented.runs(), what="the machine was stopped after it was idle", seconds=60)
    wait_for(lambda: rented.said() == ["start: A job waits", "stop: Idle"], what="start and stop are told")
    assert "PostgreSQL does not serve us: " in stack.log("autoscale").read_text()

    lost = rented.batch(wanted=30)
    rented.wait_until(lost, "running")
    first = rented.pid()
    rented.kill()
    rented.wait_until(lost, "done")
    assert rented.row(lost) == ("done", 2, 30, WORKER)
    assert rented.pid() != first
    assert rented.said() == ["start: A job waits", "stop: Idle", "start: A job waits", "start: A job waits"]

    stack.processes["autoscale"].terminate()
    assert stack.processes.pop("autoscale").wait(20) == 0
    assert stack.log("autoscale").read_text().endswith("Ended. The machine stays as it is: nobody stops it any more.\n")
    assert rented.runs()

    # It is asked to take nothing before it is stopped; where it is not stopped after all, it goes on.
    kept_waiting = rented.batch(wanted=10)
    assert stack.manage("shell", "--no-imports", "-c", QUIET.format(worker=WORKER, batch=kept_waiting)) == "0 pending\n"
    rented.wait_until(kept_waiting, "done")
    assert rented.row(kept_waiting) == ("done", 1, 10, WORKER)
