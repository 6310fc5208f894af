"""moderate.bulk: what it costs to approve ten thousand tweets in one action, beside the two bare statements.

Both run in a process of its own: `python -m bench.moderation` against the database that its environment names.
"""

import json
import subprocess
import sys
import time
from itertools import count

from bench.game import empty_game
from bench.pool import fill_pool
from bench.report import NotMeasured, Row
from bench.timing import interleave
from tests.stack import ROOT, Stack

SIZE = 10_000
TURNS, WARM_UP = 7, 1
_LOG = """
    INSERT INTO pool_moderationevent (tweet_id, by_id, before, after, reason, bulk_id)
    SELECT id, %(by)s, status, 'approved', '', %(bulk)s FROM pool_tweet WHERE category_id = %(category)s AND status = 'pending'
"""
_APPROVE = "UPDATE pool_tweet SET status = 'approved' WHERE category_id = %(category)s AND status = 'pending'"


def measure() -> list[Row]:
    """Approve one category after another, this way and that."""
    with empty_game() as stack:
        _fill(stack)
        command = [sys.executable, "-m", "bench.moderation"]
        done = subprocess.run(command, cwd=ROOT, env=stack.env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotMeasured(f"bench.moderation ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    told: dict[str, float] = json.loads(done.stdout)
    note = f"{SIZE:,} tweets: {told['ours'] * 1e3:.0f} ms; bare {told['bare'] * 1e3:.0f} ms; medians of {TURNS}, in turns"
    return [Row("moderate.bulk", round(told["ours"] / told["bare"], 2), 2.0, "ratio", note)]


def _fill(stack: Stack) -> None:
    with stack.connect() as connection:
        fill_pool(connection, {f"bench-{number}": SIZE for number in range(2 * (TURNS + WARM_UP))})
        connection.execute("UPDATE pool_tweet SET status = 'pending'")
        connection.execute("VACUUM ANALYZE pool_tweet")
        connection.execute("CHECKPOINT")


def compare() -> dict[str, float]:
    """Return the median seconds of either side, each time with a category of its own."""
    from django.contrib.auth.models import User
    from django.db import connection, transaction
    from django.utils import timezone

    from game.moderation import bulk
    from game.moderation.search import Filters
    from game.pool.models import BulkAction, Category, Status, Tweet

    by = User.objects.create_user("bench")
    numbers = count()

    def ours() -> float:
        filters = Filters(category=f"bench-{next(numbers)}", status=Status.PENDING)
        token = bulk.preview(filters=filters, by=by, after=Status.APPROVED, now=timezone.now()).token
        start = time.perf_counter()
        bulk.apply(by=by, filters=filters, after=Status.APPROVED, token=token, now=timezone.now())
        return time.perf_counter() - start

    def bare() -> float:
        category = Category.objects.get(slug=f"bench-{next(numbers)}")
        start = time.perf_counter()
        with transaction.atomic(), connection.cursor() as cursor:
            action = BulkAction.objects.create(by=by, after=Status.APPROVED)
            for statement in (_LOG, _APPROVE):
                cursor.execute(statement, {"by": by.pk, "bulk": action.pk, "category": category.pk})
        return time.perf_counter() - start

    medians = interleave({"ours": ours, "bare": bare}, turns=TURNS, warm_up=WARM_UP)
    if Tweet.objects.exclude(status=Status.APPROVED).exists():
        raise NotMeasured("Some tweets were not approved.")
    return medians


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(compare()))
