"""`python -m bench [GROUP…]`: measure the figures of docs/bench.md, all of them or some groups."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console

from bench import cleaning, cohort, draw, duel, generation, guess, importing, moderation, moderation_keys, play, scrape, train, web
from bench.classroom import rows as classroom
from bench.game import running_game
from bench.report import NotMeasured, Row, build_table, write_json
from game.embedded.processes import Problem
from tests.stack import Stack

# Groups that share one running game, in this order; then those that bring their own.
IN_GAME: dict[str, Callable[[Stack], list[Row]]] = {"draw": draw.measure, "guess": guess.measure, "web": web.measure}
ALONE: dict[str, Callable[[], list[Row]]] = {
    "train": train.measure,
    "scrape": scrape.measure,
    "import": importing.measure,
    "clean": cleaning.measure,
    "cohort": cohort.measure,
    "generation": generation.measure,
    "duel": duel.measure,
    "moderate": moderation.measure,
    "queue": moderation_keys.measure,
    "class": classroom.measure,
    "play": play.measure,
}


def main() -> int:
    """Measure, print, write VAR/bench.json; return 1 if a goal was missed or nothing could be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the figures of docs/bench.md.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"one of {', '.join([*IN_GAME, *ALONE])}; without any, all of them")
    groups = parser.parse_args().groups
    if unknown := set(groups) - {*IN_GAME, *ALONE}:
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    results = (Path(os.environ.get("VAR") or "var") / "bench.json").resolve()
    console = Console()
    try:
        rows = _measure(groups or [*IN_GAME, *ALONE], console)
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    except (NotMeasured, Problem, pytest.fail.Exception) as problem:
        console.print(str(problem), markup=False)
        return 1
    write_json(results, rows, keep=bool(groups))
    console.print(build_table(rows))
    console.print(f"Written to {results}.")
    return 0 if all(row.met for row in rows) else 1


def _measure(groups: list[str], console: Console) -> list[Row]:
    rows: list[Row] = []
    with ExitStack() as cleanup:
        if wanted := [name for name in IN_GAME if name in groups]:
            console.print("Starting a game and filling its pool with 1.2 million tweets: a minute or two …")
            stack = cleanup.enter_context(running_game())
            for name in wanted:
                console.print(f"Measuring {name} …")
                rows += IN_GAME[name](stack)
    for name in ALONE:
        if name in groups:
            console.print(f"Measuring {name} …")
            rows += ALONE[name]()
    return rows


if __name__ == "__main__":
    # Ended from outside, it still ends what it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
