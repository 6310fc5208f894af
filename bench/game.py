"""A running game with a big pool, shared by all rows that need one."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.pool import fill_pool
from game.embedded.postgres import start_postgres, stop_postgres
from tests.stack import Stack


@contextmanager
def empty_game() -> Iterator[Stack]:
    """Start PostgreSQL and Redis with the settings they have in `make play`, and migrate."""
    with ExitStack() as cleanup:
        var = Path(tempfile.mkdtemp(prefix="birdorbot-bench-"))
        var.chmod(0o711)  # PostgreSQL runs as a user of its own when we are root
        cleanup.callback(shutil.rmtree, var, ignore_errors=True)
        cleanup.callback(stop_postgres, start_postgres(var))
        stack = Stack(servers=var, var=var)
        cleanup.callback(stack.close)
        stack.manage("migrate", "--verbosity", "0")
        yield stack


@contextmanager
def running_game() -> Iterator[Stack]:
    """Start a web process too, and fill the pool."""
    with empty_game() as stack:
        stack.env |= {"DJANGO_SETTINGS_MODULE": "bench.settings"}
        stack.manage("collectstatic", "--noinput", "--verbosity", "0")
        with stack.connect() as connection:
            connection.execute("CREATE TABLE bench_floor (id bigserial PRIMARY KEY, tweet_id bigint NOT NULL, verdict text NOT NULL)")
            fill_pool(connection)
        stack.start_web()
        yield stack
