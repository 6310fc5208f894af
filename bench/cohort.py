"""cohort.scale: the memory of the process that counts who follows many of 35 seeds, among 10,000,000 edges."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil

from bench.game import empty_game
from bench.report import NotMeasured, Row
from tests.stack import ROOT, Stack

SEEDS, EDGES = 35, 10_000_000
# Each account follows 3.3 seeds in the mean; those who follow 5 or more are hundreds of thousands.
CROWD, LEAST = 3_000_017, 5
_BEGIN = f"""
from scraping.cohorts import begin_cohort, table_of
cohort = begin_cohort(source="x", camps={{"owls": [f"owl{{n}}" for n in range({SEEDS})]}}, most=None, resume=False)
print(cohort.pk, table_of(cohort), *cohort.seeds.values_list("pk", flat=True))
"""


def measure() -> list[Row]:
    """Fill a PostgreSQL of our own by COPY, count in a process of its own, and drop it all."""
    with empty_game() as stack:
        cohort, table, *seeds = stack.manage("shell", "--verbosity", "0", "-c", _BEGIN).split()
        filled, size = _fill(stack, table, [int(seed) for seed in seeds])
        done = subprocess.run(
            [sys.executable, "-m", "bench.cohort", cohort], cwd=ROOT, env=stack.env, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise NotMeasured(f"The process that counts ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    told = json.loads(done.stdout)
    note = (
        f"{SEEDS} seeds, {EDGES / 1e6:g} million edges: copied in in {filled:.0f} s, {size / EDGES:.1f} bytes each;"
        f" counted in {told['seconds']:.0f} s, {told['accounts']:,} accounts with {LEAST} or more; the process began with"
        f" {told['start']:.0f} MB"
    )
    return [Row("cohort.scale", round(told["peak"] - told["start"], 1), 100, "MB", note)]


def _fill(stack: Stack, table: str, seeds: list[int]) -> tuple[float, int]:
    """Copy the edges in; return the seconds that took, and the bytes that they take."""
    start = time.perf_counter()
    with stack.connect() as connection:
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} (seed, follower) FROM STDIN") as copy:
            for block in _edges(seeds):
                copy.write(block)
        seconds = time.perf_counter() - start
        row = connection.execute("SELECT pg_total_relation_size(%s)", [table]).fetchone()
    assert row
    return seconds, row[0]


def _edges(seeds: list[int]) -> Iterator[bytes]:
    """Yield lines of COPY: of each seed equally many followers, all different, as if drawn from the crowd; ids as long as X's."""
    share, extra = divmod(EDGES, len(seeds))
    for place, seed in enumerate(seeds, 1):
        followers = share + (place <= extra)
        step = 104_729 * place + 12_345 * place * place + 1
        for first in range(0, followers, 5_000):
            numbers = range(first, min(first + 5_000, followers))
            yield b"".join(b"%d\t%d\n" % (seed, 10**18 + number * step % CROWD) for number in numbers)


def count(cohort_id: int) -> None:
    """Count as `find_cohort` does, and print what it took."""
    import django

    django.setup()
    from scraping.cohorts import count_overlaps
    from scraping.models import Cohort

    cohort = Cohort.objects.get(pk=cohort_id)
    start, began = psutil.Process().memory_info().rss, time.perf_counter()
    accounts = sum(1 for _ in count_overlaps(cohort=cohort, least=LEAST))
    seconds = time.perf_counter() - began
    # Kilobytes on Linux, bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"peak": peak / 1e6, "start": start / 1e6, "seconds": seconds, "accounts": accounts}))


if __name__ == "__main__":
    count(int(sys.argv[1]))
