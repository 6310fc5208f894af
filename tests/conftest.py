"""The harness: real PostgreSQL and Redis for every run, a whole running game and a browser for the tests that ask."""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import django
import hypothesis
import pytest
from django.conf import settings
from django.test.utils import override_settings

from game.embedded import addresses
from game.embedded.postgres import start_postgres, stop_postgres
from game.embedded.redis import start_redis, stop_redis

ROOT = Path(__file__).resolve().parent.parent

if settings.configured:
    raise pytest.UsageError("Unset DJANGO_SETTINGS_MODULE: the tests choose their own database.")
# Before Django reads its settings, and whatever the shell says: tests must never reach a database that somebody uses.
VAR = Path(tempfile.mkdtemp(prefix="birdorbot-test-"))
VAR.chmod(0o711)  # PostgreSQL runs as a user of its own when we are root
(VAR / "static").mkdir()
os.environ.update(
    VAR=str(VAR),
    DATABASE_URL=addresses.database_url(VAR),
    REDIS_URL=addresses.redis_url(VAR),
    SECRET_KEY="a key for tests only",
    DJANGO_SETTINGS_MODULE="tests.settings",
)
# Models of a few thousand parameters: threads that wait for each other, on cores that other processes use, take many times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What runs in a shell's background ignores Ctrl-C, and so would all that it starts; some tests interrupt what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
django.setup()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Let each process that runs tests choose servers of its own; this one runs none."""
    del os.environ["DJANGO_SETTINGS_MODULE"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each file to one process, and to the same one what shares a running game (pages on one, processes on another), or a model."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid.partition("::")[0])

        def _assign_work_unit(self, node: Any) -> None:
            for scope in reversed(LONGEST_FIRST):
                if scope in self.workqueue:
                    self.workqueue.move_to_end(scope, last=False)
            super()._assign_work_unit(node)

    return Together(config, log)


# Minutes each: what one process is at while the other has nothing left to do had better be short.
LONGEST_FIRST = ("processes", "pages", "classes", "training", "tests/game/embedded/test_supervise.py")


@cache
def scope_of(path: str) -> str:
    """Return under which name a file of tests is kept together with others."""
    if path.startswith("tests/browser/"):
        return "classes" if path.startswith("tests/browser/test_class") else "pages"
    if re.search(r"import .*\bStack\b", (ROOT / path).read_text(encoding="utf-8")):
        return "processes"
    return "training" if path.startswith("tests/training/") else path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give what hangs on the pace of browsers and processes a second try: on a busy machine one in thousands fails. The summary tells."""
    for item in items:
        path = item.nodeid.partition("::")[0]
        if scope_of(path) in ("pages", "classes", "processes") or path.startswith("tests/game/embedded/"):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_unconfigure() -> None:
    shutil.rmtree(VAR, ignore_errors=True)


@pytest.fixture(scope="session")
def servers() -> Iterator[Path]:
    """Run PostgreSQL and Redis for the session; yield their VAR."""
    postgres = start_postgres(VAR, careless=True)
    redis = start_redis(VAR, careless=True)
    yield VAR
    stop_redis(redis)
    stop_postgres(postgres)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(servers: Path) -> None:
    """Have pytest-django create its test database on the embedded server."""


@pytest.fixture
def redis(servers: Path) -> Iterator[None]:
    """Give the test an empty Redis: cache, broker and channel layer."""
    from django.core.cache import cache

    cache.clear()
    yield
    cache.clear()


@pytest.fixture
async def closed_connections(transactional_db: None) -> AsyncIterator[None]:
    """Close what the consumers' thread opened: the next test may have no database."""
    from asgiref.sync import sync_to_async
    from django.db import connections

    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture(autouse=True)
def empty_cache_for_database_tests(request: pytest.FixtureRequest) -> None:
    """Keep what one test cached (limits, boards) from the next one that touches the database."""
    if {"db", "transactional_db"} & set(request.fixturenames) or request.node.get_closest_marker("django_db"):
        request.getfixturevalue("redis")


@pytest.fixture(scope="session", autouse=True)
def plain_static_files() -> Iterator[None]:
    """Let templates name static files without collecting them first; the stack serves the collected ones."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES=settings.STORAGES | {"staticfiles": plain}):
        yield


# Machines are noisy: how long an example takes, or is thought up for, says nothing about the code.
hypothesis.settings.register_profile("noisy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("noisy")

pytest_plugins = ["tests.browser_fixtures", "tests.stack"]
