"""play.*: from a clean clone to a round that can be played, and once more."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.report import NotMeasured, Row
from tests.stack import ROOT, free_port

# After so long something hangs; the goals are far below.
LIMIT_SECONDS = 900


def measure() -> list[Row]:
    """Clone what is committed, run `make play` twice, and stop it each time once it is ready."""
    with tempfile.TemporaryDirectory(prefix="birdorbot-bench-play-") as folder:
        clone = Path(folder) / "clone"
        clone.parent.chmod(0o711)  # PostgreSQL runs as a user of its own when we are root
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], check=True)
        first, again = (_seconds_to_ready(clone) for _ in range(2))
    return [
        Row("play.first", round(first, 1), 120, "s", "clean clone, package cache as it was"),
        Row("play.again", round(again, 1), 12, "s", "the same folder, started again"),
    ]


def _seconds_to_ready(clone: Path) -> float:
    # As a newcomer's shell has it: no settings, and no virtual environment on the path.
    ours = {"VAR", "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL"}
    env = {name: value for name, value in os.environ.items() if name not in ours} | {"PORT": str(free_port())}
    env["PATH"] = os.pathsep.join(place for place in env["PATH"].split(os.pathsep) if place != str(Path(sys.executable).parent))
    start = time.perf_counter()
    play = subprocess.Popen(
        ["make", "play"], cwd=clone, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert play.stdout
    said = []
    try:
        for line in play.stdout:
            said.append(line)
            if line.startswith("Ready: "):
                return time.perf_counter() - start
            if time.perf_counter() - start > LIMIT_SECONDS:
                break
        raise NotMeasured("make play never became ready:\n" + "".join(said[-20:]))
    finally:
        # As Ctrl-C does: to everything in the foreground.
        os.killpg(play.pid, signal.SIGINT)
        play.communicate(timeout=60)
