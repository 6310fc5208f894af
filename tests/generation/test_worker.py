"""Pre-generation by a real worker and a real clock, killed in the middle of its work."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.generation.conftest import copy_model
from tests.stack import Stack, wait_for

READY = 120
SETTINGS = {
    "GENERATION_READY": str(READY),
    "GENERATION_BATCH_SIZE": "60",
    "GENERATION_LEASE_SECONDS": "3",
    "GENERATION_CHECK_SECONDS": "0.5",
}
PROMOTE = """
from pathlib import Path
from game.pool.models import Category
from generation.versions import promote_model, register_model
promote_model(model_version=register_model(category=Category.objects.get(slug={slug!r}), folder=Path({folder!r})), by=None)
"""
REGISTER = """
from pathlib import Path
from game.pool.models import Category
from generation.versions import promote_model, register_model
category = Category.objects.create(slug={slug!r}, name="Starlings")
promote_model(model_version=register_model(category=category, folder=Path({folder!r})), by=None)
"""


class Pool:
    """One category of the stack's database, with a model of its own."""

    def __init__(self, connection: psycopg.Connection, slug: str) -> None:
        self.connection, self.slug = connection, slug

    def batches(self) -> list[tuple[int, str, int, int, int, bool]]:
        """Return id, state, tries, wanted, kept, is leased of each batch, the oldest first."""
        return self._rows("""
            SELECT batch.id, batch.state, tries, wanted, kept, lease_until > now()
              FROM generation_batch batch
              JOIN generation_modelversion model ON model.id = model_version_id
              JOIN pool_category category ON category.id = category_id
             WHERE slug = %s ORDER BY batch.id
        """)

    def running(self) -> list[int]:
        """Return the batches that somebody holds a lease on."""
        return [batch for batch, state, _, _, _, leased in self.batches() if state == "running" and leased]

    def tweets(self) -> tuple[int, int, int]:
        """Return how many tweets there are, how many different ones, how many approved ones by machines."""
        return self._rows("""
            SELECT count(*), count(DISTINCT fingerprint), count(*) FILTER (WHERE status = 'approved' AND kind = 'machine')
              FROM pool_tweet tweet JOIN pool_category category ON category.id = category_id WHERE slug = %s
        """)[0]

    def written(self) -> dict[int, int]:
        """Return how many tweets each version has written."""
        return dict(
            self._rows("""
                SELECT version, count(*) FROM pool_tweet tweet
                  JOIN generation_modelversion model ON model.author_id = tweet.author_id
                  JOIN pool_category category ON category.id = tweet.category_id
                 WHERE slug = %s GROUP BY version
            """)
        )

    def deal(self, count: int) -> None:
        """Mark so many tweets as dealt to a player."""
        self.connection.execute(
            """
            UPDATE pool_tweet SET first_dealt_at = now() WHERE id IN (
                SELECT tweet.id FROM pool_tweet tweet JOIN pool_category category ON category.id = category_id WHERE slug = %s LIMIT %s)
            """,
            [self.slug, count],
        )

    def _rows(self, query: str) -> list:
        return self.connection.execute(query, [self.slug]).fetchall()


@pytest.fixture
def pool(stack: Stack, tmp_path: Path) -> Iterator[Pool]:
    """Restart worker and clock with small settings and one more category; put everything back in the end."""
    for name in ("beat", "worker"):
        stack.stop(name)
    stack.env |= SETTINGS
    slug = f"starlings-{uuid4().hex[:8]}"
    folder = copy_model(tmp_path / "model", name=slug, category=slug)
    with stack.connect() as connection:
        # The other tests' categories would keep the worker from ours.
        asleep = [row[0] for row in connection.execute("UPDATE pool_category SET active = false WHERE active RETURNING id")]
        stack.manage("shell", "--verbosity", "0", "-c", REGISTER.format(slug=slug, folder=str(folder)))
        yield Pool(connection, slug)
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
