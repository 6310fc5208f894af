"""The web process, before anybody asks anything of it."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from game.embedded import addresses
from game.embedded.redis import start_redis, stop_redis

SEND = """
import game.asgi
from celery import current_app
from kombu.exceptions import OperationalError
from kombu.utils import functional
functional.sleep = lambda seconds: seconds and print("waited", seconds)
try:
    current_app.send_task("nothing", retry=False)
except OperationalError:
    print("gave up")
"""


def test_a_redis_that_hangs_keeps_nobody_waiting_for_ever() -> None:
    with tempfile.TemporaryDirectory(prefix="birdorbot-test-") as folder:
        var = Path(folder)
        redis = start_redis(var, careless=True)
        redis.send_signal(signal.SIGSTOP)
        try:
            env = os.environ | {"REDIS_URL": addresses.redis_url(var)}
            done = subprocess.run([sys.executable, "-c", SEND], env=env, capture_output=True, text=True, timeout=100)
        finally:
            redis.send_signal(signal.SIGCONT)
            stop_redis(redis)
    assert (done.stdout, done.returncode) == ("gave up\n", 0), done.stderr


def test_a_redis_that_is_away_is_given_up_at_once(tmp_path: Path) -> None:
    env = os.environ | {"REDIS_URL": f"unix://{tmp_path}/nobody.sock?db=0"}
    done = subprocess.run([sys.executable, "-c", SEND], env=env, capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.returncode) == ("gave up\n", 0), done.stderr


def test_what_stays_for_good_is_loaded_at_once_and_no_collection_looks_at_it_again() -> None:
    tell = "import gc, sys, game.asgi; print('game.classroom.host_views' in sys.modules, gc.get_freeze_count() > 5 * len(gc.get_objects()))"
    done = subprocess.run([sys.executable, "-c", tell], capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.returncode) == ("True True\n", 0), done.stderr
