"""generation.*: finished tweets by the whole path, against the ways that others write them; and what a worker needs for it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import psutil
import psycopg

from bench.game import empty_game
from bench.report import NotMeasured, Row
from bench.writers import CATEGORY
from tests.stack import ROOT, Stack, wait_for

TURNS, WARM_UP = 5, 1
SIDES = ("ours", "pipeline", "batched")
# Each category: its first batch, and two more.
ENOUGH = {"GENERATION_READY": "200", "GENERATION_READY_AT_MOST": "200"}
IDLE = {"GENERATION_READY": "10", "GENERATION_READY_AT_MOST": "10"}
BOTH = 2


def measure() -> list[Row]:
    """Load the starter; let a worker write for both categories and look at its memory; then write by each way, in turns."""
    with empty_game() as stack:
        stack.env |= ENOUGH
        stack.manage("load_starter")
        with stack.connect() as connection:
            memory = _measure_memory(stack, connection)
        return [*_measure_speed(stack), memory]


def _measure_memory(stack: Stack, connection: psycopg.Connection) -> Row:
    stack.start_worker()
    stack.start_beat()
    query = "SELECT model_version_id FROM generation_batch GROUP BY model_version_id HAVING sum(kept) >= 200"
    wait_for(lambda: len(connection.execute(query).fetchall()) == BOTH, what="both models have written 200 tweets", seconds=300)
    parent = psutil.Process(stack.processes["worker"].pid)
    memory = [process.memory_full_info() for process in (parent, *parent.children(recursive=True))]
    for name in ("beat", "worker"):
        stack.stop(name)
    # The parent was forked: what of it the child has too is in the child's figure.
    writer, parent_alone = max(each.rss for each in memory), min(each.uss for each in memory)
    note = f"after batches of both models: {writer / 1e6:.0f} MB of what writes, {parent_alone / 1e6:.0f} that its parent has alone"
    return Row("generation.memory", round((writer + parent_alone) / 1e6, 1), 400, "MB", note)


def _measure_speed(stack: Stack) -> list[Row]:
    stack.env |= IDLE
    measured: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    with ExitStack() as cleanup:
        folder = stack.var / "checkpoint"
        _make_checkpoint(folder)
        sides = {side: cleanup.enter_context(_side(side, folder, stack)) for side in SIDES}
        for turn in range(-WARM_UP, TURNS):
            for side in SIDES if turn % 2 else reversed(SIDES):
                told = sides[side]()
                if turn >= 0:
                    measured[side].append(told)
    seconds = {side: median(each["seconds"] / each["samples"] for each in measured[side]) for side in SIDES}
    ours = measured["ours"]
    overhead = median(1 - each["in the model"] / each["seconds"] for each in ours)
    samples = median(each["samples"] / each["tweets"] for each in ours)
    ways = {side: f"{1 / seconds[side] / samples:.3g} tweets/s ({1000 * seconds[side]:.3g} ms a sample)" for side in SIDES}
    note = f"{samples:.1f} samples a tweet; "
    return [
        Row(
            f"generation.vs_{side}",
            round(seconds[side] / seconds["ours"], 1),
            goal,
            "ratio",
            f"{note}{ways['ours']} / {ways[side]}",
            least=True,
        )
        for side, goal in (("pipeline", 50), ("batched", 8))
    ] + [
        Row("generation.overhead", round(overhead, 3), 0.15, "share", f"of {median(each['seconds'] for each in ours):.1f} s for 100 tweets")
    ]


def _make_checkpoint(folder: Path) -> None:
    """Write the shipped weights as transformers reads them."""
    code = (
        "from pathlib import Path; from tests.generation.checkpoint import make_checkpoint;"
        f"make_checkpoint(Path('generation/starter/{CATEGORY}'), Path({str(folder)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise NotMeasured(f"The shipped model could not be read back: {done.stderr.strip().splitlines()[-1]}")


@contextmanager
def _side(side: str, folder: Path, stack: Stack) -> Iterator[Callable[[], dict[str, float]]]:
    """Start one side; give what lets it write and tell how that went."""
    log = stack.log(f"bench-{side}")
    command = [sys.executable, "-m", "bench.writers", side, str(folder)]
    env = stack.env | {"DJANGO_SETTINGS_MODULE": "game.settings"}
    pipe = subprocess.PIPE
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True, env=env, cwd=ROOT) as process,
    ):
        assert process.stdin
        assert process.stdout
        lines_in, lines_out = process.stdin, process.stdout

        def write() -> dict[str, float]:
            print(file=lines_in, flush=True)
            if not (line := lines_out.readline()):
                raise NotMeasured(f"{side} died: {log.read_text().strip().splitlines()[-1:]}")
            told: dict[str, float] = json.loads(line)
            return told

        try:
            yield write
        finally:
            process.kill()
