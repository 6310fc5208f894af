"""Pre-generation by a real worker and a real clock, killed in the middle of its work."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.generation.conftest import copy_model
from tests.generation.pools import PROMOTE, Pool, make_pool
from tests.stack import Stack, wait_for

READY = 120
SETTINGS = {
    "GENERATION_READY": str(READY),
    "GENERATION_BATCH_SIZE": "60",
    "GENERATION_LEASE_SECONDS": "3",
    "GENERATION_CHECK_SECONDS": "0.5",
}


@pytest.fixture
def pool(stack: Stack, tmp_path: Path) -> Iterator[Pool]:
    """Restart worker and clock with small settings and one more category; put everything back in the end."""
    for name in ("beat", "worker"):
        stack.stop(name)
    stack.env |= SETTINGS
    with stack.connect() as connection:
        # The other tests' categories would keep the worker from ours.
        asleep = [row[0] for row in connection.execute("UPDATE pool_category SET active = false WHERE active RETURNING id")]
        yield make_pool(stack, connection, tmp_path / "model")
        for name in {"beat", "worker"} & set(stack.processes):
            stack.stop(name)
        connection.execute("UPDATE pool_category SET active = id = ANY(%s)", [asleep])
    for name in SETTINGS:
        stack.env.pop(name)
    stack.env |= {name: value for name, value in os.environ.items() if name in SETTINGS}
    stack.start_worker()
    stack.start_beat()


def test_the_pool_fills_by_itself_and_again_after_play(stack: Stack, pool: Pool) -> None:
    stack.start_worker()
    wait_for(lambda: pool.tweets()[0] >= READY, what=f"{READY} tweets are ready", seconds=90)
    assert pool.tweets() == (READY, READY, READY)
    assert [row[1:5] for row in pool.batches()] == [("done", 1, 50, 50), ("done", 1, 60, 60), ("done", 1, 10, 10)]
    pool.deal(6)
    stack.start_beat()
    wait_for(lambda: pool.tweets()[0] > READY, what="the pool is topped up", seconds=30)
    assert pool.tweets() == (READY + 6, READY + 6, READY + 6)


def test_a_worker_killed_in_the_middle_of_a_batch_loses_nothing_and_doubles_nothing(stack: Stack, pool: Pool) -> None:
    stack.start_beat()
    killed: list[int] = []
    for _ in range(2):
        stack.start_worker()
        wait_for(lambda: bool(pool.running()), what="a batch runs", seconds=30)
        time.sleep(0.1)  # into the middle: fifty tweets take longer
        stack.kill("worker")
        killed += pool.running()
        wait_for(lambda: not pool.running(), what="the lease of the killed worker ran out")
    assert len(killed) == 2
    assert pool.tweets()[0] < READY
    stack.start_worker()
    wait_for(lambda: pool.tweets()[0] >= READY, what=f"{READY} tweets are ready", seconds=90)
    assert pool.tweets() == (READY, READY, READY)
    assert [(state, wanted, kept) for _, state, _, wanted, kept, _ in pool.batches()] == [
        ("done", 50, 50),
        ("done", 60, 60),
        ("done", 10, 10),
    ]
    tries = {batch: tries for batch, _, tries, *_ in pool.batches()}
    assert tries == {batch: 1 + killed.count(batch) for batch in tries}


def test_a_promoted_model_takes_over_in_the_running_worker(stack: Stack, pool: Pool, tmp_path: Path) -> None:
    stack.start_worker()
    stack.start_beat()
    wait_for(lambda: pool.written() == {1: READY}, what="the first model has filled the pool", seconds=90)
    second = copy_model(tmp_path / "second", name=pool.slug, category=pool.slug, version=2)
    stack.manage("shell", "--verbosity", "0", "-c", PROMOTE.format(slug=pool.slug, folder=str(second)))
    wait_for(lambda: pool.written().get(2) == READY, what="the second has, too", seconds=90)
    assert pool.written() == {1: READY, 2: READY}
