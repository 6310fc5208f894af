"""draw.*: what a card costs when the pool grows."""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING

from bench.pool import SEEN, add_veteran
from bench.report import Row
from bench.timing import interleave
from tests.stack import Stack

if TYPE_CHECKING:
    from game.pool.models import Category

SMALL, BIG = "pool-10k", "pool-1m"
TURNS, WARM_UP = 400, 40


def measure(stack: Stack) -> list[Row]:
    """Compare draws from the big and the small pool, of a card and of a round, for a new player and for a veteran."""
    with stack.connect() as connection:
        players = {"a new player": uuid.uuid4(), f"a player who has seen {SEEN}": add_veteran(connection)}
    with _application(stack):
        from game.pool.models import Category

        categories = {slug: Category.objects.get(slug=slug) for slug in (SMALL, BIG)}
        situations = [(who, count) for who in players for count in (1, 10)]
        medians = interleave(
            {
                (slug, *situation): _draw(categories[slug], players[situation[0]], situation[1])
                for situation in situations
                for slug in categories
            },
            turns=TURNS,
            warm_up=WARM_UP,
        )
    growth = {situation: medians[BIG, *situation] / medians[SMALL, *situation] for situation in situations}
    worst = max(situations, key=lambda situation: growth[situation])
    who, count = worst
    note = f"{medians[BIG, *worst] * 1e3:.3f} / {medians[SMALL, *worst] * 1e3:.3f} ms, {count} card{'s' if count > 1 else ''} for {who}"
    return [Row("draw.growth", round(growth[worst], 3), 1.3, "ratio", f"worst of {len(situations)}: {note}")]


def _draw(category: "Category", player_id: uuid.UUID, count: int) -> Callable[[], float]:
    from game.play.drawing import draw_tweets

    rng = Random(f"{category.slug} {count}")

    def draw() -> float:
        start = time.perf_counter()
        draw_tweets(category=category, player_id=player_id, count=count, rng=rng)
        return time.perf_counter() - start

    return draw


@contextmanager
def _application(stack: Stack) -> Iterator[None]:
    """Run the application in this process, against the stack's database."""
    os.environ.update({name: stack.env[name] for name in ("VAR", "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")})
    import django
    from django.db import connection

    django.setup()
    yield
    connection.close()
