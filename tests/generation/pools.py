"""What tests that run real workers look at: one category of a running game's database, with a model of its own."""

from pathlib import Path
from uuid import uuid4

import psycopg

from tests.generation.conftest import copy_model
from tests.stack import Stack

PROMOTE = """
from pathlib import Path
from game.pool.models import Category
from generation.versions import promote_model, register_model
promote_model(model_version=register_model(category=Category.objects.get(slug={slug!r}), folder=Path({folder!r})), by=None)
"""
REGISTER = """
from pathlib import Path
from game.pool.models import Category
from generation.versions import promote_model, register_model
category = Category.objects.create(slug={slug!r}, name="Starlings")
promote_model(model_version=register_model(category=category, folder=Path({folder!r})), by=None)
"""


class Pool:
    """One category of the stack's database, with a model of its own."""

    def __init__(self, connection: psycopg.Connection, slug: str) -> None:
        self.connection, self.slug = connection, slug

    def batches(self) -> list[tuple[int, str, int, int, int, bool]]:
        """Return id, state, tries, wanted, kept, is leased of each batch, the oldest first."""
        return self._rows("""
            SELECT batch.id, batch.state, tries, wanted, kept, lease_until > now()
              FROM generation_batch batch
              JOIN generation_modelversion model ON model.id = model_version_id
              JOIN pool_category category ON category.id = category_id
             WHERE slug = %s ORDER BY batch.id
        """)

    def running(self) -> list[int]:
        """Return the batches that somebody holds a lease on."""
        return [batch for batch, state, _, _, _, leased in self.batches() if state == "running" and leased]

    def tweets(self) -> tuple[int, int, int]:
        """Return how many tweets there are, how many different ones, how many approved ones by machines."""
        return self._rows("""
            SELECT count(*), count(DISTINCT fingerprint), count(*) FILTER (WHERE status = 'approved' AND kind = 'machine')
              FROM pool_tweet tweet JOIN pool_category category ON category.id = category_id WHERE slug = %s
        """)[0]

    def written(self) -> dict[int, int]:
        """Return how many tweets each version has written."""
        return dict(
            self._rows("""
                SELECT version, count(*) FROM pool_tweet tweet
                  JOIN generation_modelversion model ON model.author_id = tweet.author_id
                  JOIN pool_category category ON category.id = tweet.category_id
                 WHERE slug = %s GROUP BY version
            """)
        )

    def deal(self, count: int) -> None:
        """Mark so many tweets as dealt to a player."""
        self.connection.execute(
            """
            UPDATE pool_tweet SET first_dealt_at = now() WHERE id IN (
                SELECT tweet.id FROM pool_tweet tweet JOIN pool_category category ON category.id = category_id WHERE slug = %s LIMIT %s)
            """,
            [self.slug, count],
        )

    def _rows(self, query: str) -> list:
        return self.connection.execute(query, [self.slug]).fetchall()


def make_pool(stack: Stack, connection: psycopg.Connection, folder: Path) -> Pool:
    """Make a category whose model is a copy of the shipped one in `folder`."""
    slug = f"starlings-{uuid4().hex[:8]}"
    copy_model(folder, name=slug, category=slug)
    stack.manage("shell", "--verbosity", "0", "-c", REGISTER.format(slug=slug, folder=str(folder)))
    return Pool(connection, slug)
