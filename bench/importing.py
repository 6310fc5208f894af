"""import.speed and import.growth: what an import costs, beside reading alone, and when the pool grows.

Every import is a process of its own: `python -m bench.importing SIDE FILE…` against the database that its environment names.
"""

import json
import lzma
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import psycopg

from bench.game import empty_game
from bench.pool import fill_pool
from bench.posts import some_posts
from bench.report import NotMeasured, Row
from game.embedded import addresses
from tests.stack import DATABASE, ROOT, Stack

TURNS = 3
# Into the big pool, which grows by as much each turn.
SLICES, SLICE = 4, 25_000
BIG, BIG_SIZE = "bench-big", 1_000_000


def measure() -> list[Row]:
    """Import the same posts again and again, on two databases of one PostgreSQL."""
    with some_posts() as (files, which), empty_game() as stack:
        return [_measure_speed(stack, files, which), _measure_growth(stack, files, which)]


def _measure_speed(stack: Stack, files: list[Path], which: str) -> Row:
    seconds: dict[str, list[float]] = {"copy": [], "import": []}
    posts = kept = 0.0
    for turn in range(TURNS):
        for side in sorted(seconds, reverse=turn % 2 == 1):
            with stack.connect() as connection:
                connection.execute("TRUNCATE pool_tweet, pool_author CASCADE")
            told = _run(stack.env, side, *map(str, files))
            seconds[side].append(told["seconds"])
            posts, kept = max(posts, told["posts"]), max(kept, told.get("kept", 0))
    bare, ours = (statistics.median(seconds[side]) for side in ("copy", "import"))
    note = (
        f"{posts:,.0f} {which}, {kept:,.0f} kept: {ours:.1f} s; read, json.loads and COPY of the texts alone {bare:.1f} s;"
        f" medians of {TURNS}, in turns"
    )
    return Row("import.speed", round(bare / ours, 2), 0.25, "ratio", note, least=True)


def _measure_growth(stack: Stack, files: list[Path], which: str) -> Row:
    small = addresses.database_url(stack.var, f"{DATABASE}_small")
    with stack.connect() as connection:
        connection.execute("TRUNCATE pool_tweet, pool_author CASCADE")
    with psycopg.connect(addresses.database_url(stack.var), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}_small TEMPLATE {DATABASE}")
    with stack.connect() as connection:
        fill_pool(connection, {BIG: BIG_SIZE})
        connection.execute("CHECKPOINT")
    rates: dict[str, list[float]] = {"big": [], "small": []}
    with tempfile.TemporaryDirectory(prefix="birdorbot-bench-slices-") as folder:
        for turn, slice_ in enumerate(_slices(files, Path(folder))):
            for side in sorted(rates, reverse=turn % 2 == 1):
                told = _run(stack.env | ({"DATABASE_URL": small} if side == "small" else {}), "grow", str(slice_))
                rates[side].append(told["kept"] / told["seconds"])
    big, empty = statistics.median(rates["big"]), statistics.median(rates["small"])
    note = (
        f"{SLICE:,} {which} at a time into {BIG_SIZE / 1e6:g} million tweets {big:,.0f} tweets/s, into none {empty:,.0f};"
        f" medians of {len(rates['big'])}, in turns"
    )
    return Row("import.growth", round(big / empty, 2), 0.8, "ratio", note, least=True)


def _lines(path: Path) -> Iterator[bytes]:
    with lzma.open(path) as file:
        yield from file


def _slices(files: list[Path], folder: Path) -> list[Path]:
    """Write the first posts into files of their own, one for each turn."""
    lines = chain.from_iterable(map(_lines, files))
    paths = []
    for number in range(SLICES):
        path = folder / f"slice-{number}.jsonl"
        path.write_bytes(b"".join(islice(lines, SLICE)))
        paths.append(path)
    return paths


def _run(env: dict[str, str], *arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.importing", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotMeasured(f"bench.importing {arguments[0]} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    told: dict[str, float] = json.loads(done.stdout)
    return told


def copy(files: list[Path]) -> dict[str, float]:
    """Read every line, and copy its text into a bare table."""
    from django.db import connection

    posts = 0
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE bare (text text)")
        start = time.perf_counter()
        for path in files:
            with lzma.open(path) as file, cursor.copy("COPY bare FROM STDIN") as rows:
                for line in file:
                    # PostgreSQL's texts hold no NUL.
                    rows.write_row((json.loads(line)["tweet"].replace("\x00", ""),))
                    posts += 1
    return {"seconds": time.perf_counter() - start, "posts": posts}


def import_all(files: list[Path]) -> dict[str, float]:
    """Import every file into a category of its own, all into BIG if there is only one."""
    from game.pool.models import Category
    from scraping.rules import Cleaning
    from scraping.services import ImportReport, import_file

    report = ImportReport()
    categories = [Category.objects.get_or_create(slug=BIG if len(files) == 1 else f"bench-{number}")[0] for number in range(len(files))]
    start = time.perf_counter()
    for category, path in zip(categories, files, strict=True):
        import_file(category=category, path=path, cleaning=Cleaning(), report=report)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "posts": report.kept + report.dropped.total(), "kept": report.kept}


if __name__ == "__main__":
    import django

    django.setup()
    side, *names = sys.argv[1:]
    print(json.dumps((copy if side == "copy" else import_all)([Path(name) for name in names])))
