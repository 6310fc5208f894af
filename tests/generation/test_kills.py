"""A real worker and a real clock whose PostgreSQL, Redis or process is killed or told to stop in the middle of a batch."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from game.embedded.postgres import start_postgres, stop_postgres
from game.embedded.redis import start_redis
from tests.generation.pools import Pool, make_pool
from tests.stack import Stack, wait_for

READY = 80
SETTINGS = {
    "GENERATION_READY": str(READY),
    "GENERATION_BATCH_SIZE": "40",
    "GENERATION_LEASE_SECONDS": "3",
    "GENERATION_CHECK_SECONDS": "0.5",
    "GENERATION_STOP_SECONDS": "0.2",
}
PLANNED = [("done", 40, 40), ("done", 40, 40)]
# A batch that takes a worker longer than any of these tests.
LONG = """
from generation.batches import create_batch
from generation.models import ModelVersion
from generation.tasks import run_batch
run_batch.delay(create_batch(model_version=ModelVersion.objects.get(name={slug!r}), wanted=4_000).pk)
"""
# More than a worker does in a moment; then prompts, which come last.
CROWD = """
import time
from generation.batches import create_batch
from generation.duel.services import ask
from generation.models import Batch, ModelVersion
from generation.tasks import run_batch
model = ModelVersion.objects.get(name={slug!r})
for _ in range(10):
    run_batch.delay(create_batch(model_version=model, wanted=15).pk)
while not Batch.objects.filter(wanted=15, state="running").exists():
    time.sleep(0.01)
for beginning in ("The heron", "A starling", "Two wrens"):
    ask(text=beginning, allow_new=lambda: True)
"""


class Servers:
    """A PostgreSQL and a Redis of these tests alone, which they may kill, and a game on them without its web process."""

    def __init__(self, var: Path) -> None:
        self.var = var
        # As in a real game: a commit that was answered is on the disk.
        self.postgres = start_postgres(var)
        self.stack = Stack(servers=var, var=var)
        self.stack.env |= SETTINGS
        self.stack.manage("migrate", "--verbosity", "0")

    def kill_postgres(self) -> None:
        """End PostgreSQL and all of its connections by kill -9."""
        _kill(self.postgres)

    def start_postgres(self) -> None:
        self.postgres = start_postgres(self.var)

    def kill_redis(self) -> None:
        """End Redis by kill -9; whatever was queued is lost."""
        _kill(self.stack.redis)

    def start_redis(self) -> None:
        self.stack.redis = start_redis(self.var, careless=True)

    def close(self) -> None:
        self.stack.close()
        stop_postgres(self.postgres)


def _kill(server: subprocess.Popen[bytes]) -> None:
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


@pytest.fixture(scope="module")
def mortal() -> Iterator[Servers]:
    var = Path(tempfile.mkdtemp(prefix="birdorbot-kills-"))
    var.chmod(0o711)
    servers = Servers(var)
    yield servers
    servers.close()
    shutil.rmtree(var, ignore_errors=True)


@pytest.fixture
def stack(mortal: Servers) -> Iterator[Stack]:
    """Return the game, nothing of it running; end what a test left running."""
    yield mortal.stack
    for name in list(mortal.stack.processes):
        mortal.stack.kill(name)
    mortal.stack.env |= SETTINGS


@pytest.fixture
def pool(stack: Stack, tmp_path: Path) -> Iterator[Pool]:
    """Make a category that lacks everything, the only one that the game looks after."""
    with stack.connect() as connection:
        connection.execute("UPDATE pool_category SET active = false")
        connection.execute("TRUNCATE generation_batch CASCADE")
        yield make_pool(stack, connection, tmp_path / "model")


def begin(stack: Stack, pool: Pool) -> int:
    """Start worker and clock and return the batch that runs, a moment into it."""
    stack.start_worker()
    stack.start_beat()
    wait_for(lambda: bool(pool.running()), what="a batch runs")
    time.sleep(0.1)
    (batch,) = pool.running()
    return batch


def outcomes(pool: Pool) -> list[tuple[str, int, int]]:
    return [(state, wanted, kept) for _, state, _, wanted, kept, _ in pool.batches()]


def wait_until_full(pool: Pool, tweets: int = READY) -> None:
    wait_for(lambda: pool.tweets()[0] >= tweets, what=f"{tweets} tweets are ready", seconds=60)
    wait_for(lambda: {state for state, *_ in outcomes(pool)} == {"done"}, what="every batch is done")
    assert pool.tweets() == (tweets, tweets, tweets)


def workers(pool: Pool) -> list[tuple[str, str]]:
    """Return state and work of each worker: here if it was seen within the last ten seconds."""
    return pool.connection.execute(
        "SELECT CASE WHEN seen_at > now() - interval '10 s' THEN 'here' ELSE 'away' END, doing FROM generation_worker"
    ).fetchall()


def test_redis_killed_in_the_middle_of_a_batch_loses_nothing_and_the_pool_fills_again(mortal: Servers, stack: Stack, pool: Pool) -> None:
    begin(stack, pool)
    mortal.kill_redis()
    time.sleep(1)
    mortal.start_redis()
    wait_until_full(pool)
    assert outcomes(pool) == PLANNED
    pool.deal(6)
    wait_until_full(pool, READY + 6)
    assert {name: process.poll() for name, process in stack.processes.items()} == {"worker": None, "beat": None}


def test_postgresql_killed_in_the_middle_of_a_batch_loses_nothing_and_the_pool_fills_again(
    mortal: Servers, stack: Stack, pool: Pool
) -> None:
    interrupted = begin(stack, pool)
    assert workers(pool)[0][0] == "here"
    mortal.kill_postgres()
    time.sleep(1)
    mortal.start_postgres()
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        again = Pool(connection, pool.slug)
        wait_until_full(again)
        assert outcomes(again) == PLANNED
        assert {batch: tries for batch, _, tries, *_ in again.batches()}[interrupted] == 2
        again.deal(6)
        wait_until_full(again, READY + 6)
        wait_for(lambda: workers(again) == [("here", "")], what="the worker is seen again, and at nothing")
    assert {name: process.poll() for name, process in stack.processes.items()} == {"worker": None, "beat": None}


def test_a_batch_that_kills_its_process_three_times_is_given_up_and_the_worker_lives_on(stack: Stack, pool: Pool) -> None:
    # One batch alone: of two that die in turn either may be the first that is given up.
    stack.env["GENERATION_READY"] = "40"
    batch = begin(stack, pool)
    main = psutil.Process(stack.processes["worker"].pid)

    def is_given_up() -> bool:
        for child in main.children() if pool.running() else []:
            # One that was killed before may be gone by now.
            with suppress(psutil.NoSuchProcess):
                child.kill()
        return any(state == "failed" for _, state, *_ in pool.batches())

    wait_for(is_given_up, what="a batch is given up", seconds=60)
    assert next(row[1:5] for row in pool.batches() if row[0] == batch) == ("failed", 3, 40, 0)
    error = pool.connection.execute("SELECT error FROM generation_batch WHERE id = %s", [batch]).fetchone()
    assert error is not None
    assert error[0].startswith("Its worker died or stopped answering, 3 times: ")
    assert main.is_running()


@pytest.mark.parametrize("whom", ["the main process", "all of its processes"])
def test_a_worker_that_is_told_to_stop_hands_its_batch_back_within_seconds_and_another_does_it(stack: Stack, pool: Pool, whom: str) -> None:
    stack.start_worker()
    wait_until_full(pool)
    stack.manage("shell", "--verbosity", "0", "-c", LONG.format(slug=pool.slug))
    wait_for(lambda: bool(pool.running()), what="the long batch runs")
    time.sleep(0.5)
    assert workers(pool) == [("here", "Writing 4000 tweets for Starlings")]
    worker = stack.processes.pop("worker")
    if whom == "the main process":
        worker.terminate()
    else:
        os.killpg(worker.pid, signal.SIGTERM)
    assert worker.wait(15) == 0
    (row,) = [row for row in pool.batches() if row[3] == 4_000]
    assert row[1:3] == ("pending", 0)
    assert pool.tweets()[0] == READY
    assert workers(pool) == []
    pool.connection.execute("UPDATE generation_batch SET wanted = 9 WHERE id = %s", [row[0]])
    # Long before any lease, if there were one, is over.
    stack.env["GENERATION_LEASE_SECONDS"] = "600"
    stack.start_worker()
    wait_until_full(pool, READY + 9)
    assert {row[0]: row[1:3] for row in pool.batches()}[row[0]] == ("done", 1)


def test_a_worker_that_is_told_to_stop_finishes_what_is_almost_done(stack: Stack, pool: Pool) -> None:
    stack.env["GENERATION_STOP_SECONDS"] = "60"
    begin(stack, pool)
    stack.stop("worker", grace=60)
    assert pool.batches()[0][1:5] == ("done", 1, 40, 40)
    assert pool.running() == []
    assert {tries for _, state, tries, *_ in pool.batches() if state == "pending"} <= {0}


def test_prompts_that_were_asked_last_all_go_before_the_batches_that_wait(stack: Stack, pool: Pool) -> None:
    # No clock is there to send once more what nobody took for so long.
    stack.env["GENERATION_LEASE_SECONDS"] = "600"
    stack.start_worker()
    wait_until_full(pool)
    stack.manage("shell", "--verbosity", "0", "-c", CROWD.format(slug=pool.slug))
    wait_until_full(pool, READY + 150)
    columns = pool.connection.execute("SELECT created_at, started_at FROM duel_column WHERE state = 'done' ORDER BY started_at").fetchall()
    assert len(columns) == 3
    asked, answered = max(created for created, _ in columns), max(started for _, started in columns)
    starts = [row[0] for row in pool.connection.execute("SELECT started_at FROM generation_batch WHERE wanted = 15 ORDER BY started_at")]
    # Some had begun by then; none began between.
    assert [start for start in starts if asked < start < answered] == []
    assert sum(start > answered for start in starts) >= 5
