"""Prompts answered by a real worker and a real clock: killed in the middle, busy with the pool, gone from Redis."""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.generation.conftest import copy_model
from tests.generation.pools import REGISTER
from tests.stack import Stack, wait_for

SETTINGS = {
    "GENERATION_READY": "10",
    "GENERATION_READY_AT_MOST": "10",
    "GENERATION_LEASE_SECONDS": "3",
    "GENERATION_CHECK_SECONDS": "0.5",
}
# Beside other work.
SLOW = 120
ASK = """
from generation.duel.services import ask
print(ask(text={text!r}, allow_new=lambda: True)["prompt"].token)
"""


class Duel:
    """One category of the stack's database, with a model that answers prompts."""

    def __init__(self, stack: Stack, connection: psycopg.Connection) -> None:
        self.stack, self.connection = stack, connection

    def ask(self, text: str) -> str:
        return self.stack.manage("shell", "--verbosity", "0", "-c", ASK.format(text=text)).strip()

    def columns(self, token: str) -> list[tuple[str, int, int]]:
        """Return state, tries and number of completions of a prompt's columns."""
        return self.connection.execute(
            """
            SELECT state, tries, (SELECT count(*)::int FROM duel_completion WHERE column_id = col.id)
              FROM duel_column col JOIN duel_prompt prompt ON prompt.id = prompt_id WHERE token = %s
            """,
            [token],
        ).fetchall()

    def is_done(self, token: str) -> bool:
        return [state for state, *_ in self.columns(token)] == ["done"]

    def batches_left(self) -> int:
        """Return how many batches of the pool are not done."""
        return len(self.connection.execute("SELECT FROM generation_batch WHERE state IN ('pending', 'running')").fetchall())


@pytest.fixture
def duel(stack: Stack, tmp_path: Path) -> Iterator[Duel]:
    """Stop worker and clock, and make one category with a model; put everything back in the end."""
    for name in ("beat", "worker"):
        stack.stop(name)
    before = dict(stack.env)
    stack.env |= SETTINGS
    slug = f"starlings-{uuid4().hex[:8]}"
    folder = copy_model(tmp_path / "model", name=slug, category=slug)
    with stack.connect() as connection:
        asleep = [row[0] for row in connection.execute("UPDATE pool_category SET active = false WHERE active RETURNING id")]
        stack.manage("shell", "--verbosity", "0", "-c", REGISTER.format(slug=slug, folder=str(folder)))
        yield Duel(stack, connection)
        for name in {"beat", "worker"} & set(stack.processes):
            stack.stop(name)
        connection.execute("DELETE FROM duel_completion")
        connection.execute("DELETE FROM duel_column")
        connection.execute("UPDATE pool_category SET active = id = ANY(%s)", [asleep])
    stack.env = before
    stack.start_worker()
    stack.start_beat()


def test_a_killed_workers_column_is_answered_by_another(stack: Stack, duel: Duel) -> None:
    stack.env["GENERATION_LEASE_SECONDS"] = "20"
    stack.start_worker()
    # The worker waits for the row that it wants to write, which makes sure that it is killed in the middle.
    with stack.connect() as other, other.transaction():
        other.execute("LOCK TABLE duel_completion IN EXCLUSIVE MODE")
        token = duel.ask("The herons")
        wait_for(lambda: duel.columns(token) == [("running", 1, 0)], what="the column is being answered", seconds=SLOW)
        time.sleep(0.5)
        stack.kill("worker")
    assert duel.columns(token) == [("running", 1, 0)]
    stack.start_beat()
    stack.start_worker()
    wait_for(lambda: duel.is_done(token), what="another worker has answered", seconds=SLOW)
    assert duel.columns(token) == [("done", 2, 10)]


def test_a_new_prompt_goes_before_the_pool(stack: Stack, duel: Duel) -> None:
    # No message is lost meanwhile, and no clock sends another.
    stack.env |= {
        "GENERATION_LEASE_SECONDS": "300",
        "GENERATION_READY": "400",
        "GENERATION_READY_AT_MOST": "400",
        "GENERATION_BATCH_SIZE": "20",
    }
    stack.start_worker()
    wait_for(lambda: duel.batches_left() > 5, what="batches wait", seconds=SLOW)
    token = duel.ask("The herons")
    wait_for(lambda: duel.is_done(token), what="the prompt is answered", seconds=SLOW)
    assert duel.batches_left() > 0
    assert duel.columns(token) == [("done", 1, 10)]


def test_a_prompt_asked_while_redis_is_away_is_answered_when_it_is_back(stack: Stack, duel: Duel) -> None:
    redis_url = stack.env["REDIS_URL"]
    stack.env["REDIS_URL"] = f"unix://{stack.var / 'nobody-listens-here.sock'}?db=0"
    try:
        token = duel.ask("The herons")
    finally:
        stack.env["REDIS_URL"] = redis_url
    # For the clock's next tick.
    assert duel.connection.execute("SELECT state, lease_until <= now() FROM duel_column").fetchall() == [("pending", True)]
    stack.start_worker()
    stack.start_beat()
    wait_for(lambda: duel.is_done(token), what="the prompt is answered", seconds=SLOW)
    assert duel.columns(token) == [("done", 1, 10)]
