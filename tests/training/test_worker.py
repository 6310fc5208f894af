"""A real training worker and a real clock: killed in the middle, told to stop, told to cancel."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg
import pytest
from psycopg.rows import dict_row

from tests.stack import Stack, wait_for
from tests.training.flock import KNOBS

SETTINGS = {"TRAINING_LEASE_SECONDS": "3", "TRAINING_CHECK_SECONDS": "0.5"}
ASK = """
from tests.training.flock import add_flock
from training.services import start_run
print(start_run(category=add_flock({slug!r}, active=False), by=None, recipe_values={values!r}, promote=True).pk)
"""
CANCEL = "from training.services import cancel_run; cancel_run(run_id={run}, by=None)"


class Run:
    """A run in the stack's database, and its files."""

    def __init__(self, stack: Stack, connection: psycopg.Connection[dict[str, Any]], number: int) -> None:
        self.stack, self.connection, self.number = stack, connection, number

    def __getitem__(self, column: str) -> Any:
        (row,) = self.connection.execute("SELECT * FROM training_trainingrun WHERE id = %s", [self.number]).fetchall()
        return row[column]

    @property
    def folder(self) -> Path:
        return self.stack.var / str(self["folder"])

    def has_checkpoint(self) -> bool:
        return any(self.folder.glob("checkpoints/checkpoint-*/trainer_state.json"))

    def first_line(self) -> dict[str, Any]:
        with (self.folder / "progress.jsonl").open() as lines:
            return dict(json.loads(lines.readline()))

    def processes(self) -> list[psutil.Process]:
        """Return the steps that are at work on it."""
        recipe = str(self.folder / "recipe.toml")
        return [process for process in psutil.process_iter(["cmdline"]) if recipe in (process.info["cmdline"] or [])]


@pytest.fixture
def ask(stack: Stack, base: Path) -> Iterator[Any]:
    """Give a function that asks for a run of so many epochs on a category of its own; the clock runs fast meanwhile."""
    stack.stop("beat")
    stack.env |= SETTINGS
    stack.start_beat()
    stack.start_trainer()
    with psycopg.connect(stack.database_url, autocommit=True, row_factory=dict_row) as connection:

        def start(epochs: int) -> Run:
            slug = f"birds-{uuid4().hex[:8]}"
            values = KNOBS | {"name": slug, "base": str(base), "epochs": epochs, "patience": epochs, "judge_samples": 0}
            said = stack.manage("shell", "-v", "0", "-c", ASK.format(slug=slug, values=values))
            return Run(stack, connection, int(said))

        yield start
    for name in {"trainer", "beat"} & set(stack.processes):
        stack.stop(name)
    for name in SETTINGS:
        stack.env.pop(name)
    stack.env |= {name: value for name, value in os.environ.items() if name in SETTINGS}
    stack.start_beat()


@pytest.mark.timeout(400)
def test_a_worker_killed_in_the_middle_of_a_run_loses_nothing_after_its_checkpoint(stack: Stack, ask: Any) -> None:
    run = ask(6)
    wait_for(run.has_checkpoint, what="a checkpoint is written", seconds=120)
    began = run.first_line()
    stack.kill("trainer")
    wait_for(lambda: run.processes() == [], what="the step died with its worker", seconds=10)
    assert (run["state"], run["model_version_id"]) == ("running", None)
    stack.start_trainer()
    wait_for(lambda: run["state"] in ("done", "failed"), what="the run is over", seconds=240)
    assert (run["state"], run["error"], run["tries"]) == ("done", "", 2)
    assert run.first_line() == began
    (model,) = run.connection.execute("SELECT * FROM generation_modelversion WHERE id = %s", [run["model_version_id"]]).fetchall()
    assert (model["version"], model["state"], run["note"]) == (1, "active", "Promoted: no other model is active.")
    versions = run.connection.execute("SELECT version FROM generation_modelversion WHERE name = %s", [model["name"]]).fetchall()
    assert versions == [{"version": 1}]


@pytest.mark.timeout(400)
def test_a_run_is_given_back_by_a_worker_that_stops_and_ends_for_good_when_it_is_cancelled(stack: Stack, ask: Any) -> None:
    run = ask(2000)
    wait_for(lambda: run["step"] > 0, what="it learns", seconds=120)
    stack.stop("trainer", grace=60)
    assert (run["state"], run["tries"], run.processes()) == ("waiting", 0, [])
    stack.start_trainer()
    wait_for(lambda: run["state"] == "running", what="it is taken again", seconds=30)
    stack.manage("shell", "-v", "0", "-c", CANCEL.format(run=run.number))
    wait_for(lambda: run["state"] != "running", what="it is cancelled", seconds=60)
    assert (run["state"], run["error"], run["model_version_id"], run.processes()) == ("cancelled", "cancelled", None, [])
