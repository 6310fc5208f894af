"""Posts that were dropped, to look at: a few of every reason, or page by page of one."""

from collections.abc import Sequence

from django.db import connection

from game.pool.models import Category
from scraping.models import RawPost

# Each feed's newest by index, however many posts it has; of those the newest of the category.
_NEWEST = """
    SELECT id
      FROM (SELECT newest.id, row_number() OVER (PARTITION BY reason ORDER BY newest.id DESC) AS place
              FROM scraping_feed AS feed
             CROSS JOIN unnest(%(reasons)s::text[]) AS reason
             CROSS JOIN LATERAL (
                   SELECT id FROM scraping_rawpost
                    WHERE feed_id = feed.id AND outcome = reason AND (%(before)s::bigint IS NULL OR id < %(before)s)
                    ORDER BY id DESC LIMIT %(count)s) AS newest
             WHERE feed.category_id = %(category)s) AS ranked
     WHERE place <= %(count)s
"""


def newest_posts(category: Category, reasons: Sequence[str], count: int, before: int | None = None) -> dict[str, list[RawPost]]:
    """Return up to `count` posts of each outcome in `reasons`, the newest first, from behind the id `before` on."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, {"reasons": list(reasons), "before": before, "count": count, "category": category.pk})
        ids = [row[0] for row in cursor.fetchall()]
    found: dict[str, list[RawPost]] = {reason: [] for reason in reasons}
    for post in RawPost.objects.filter(pk__in=ids).select_related("feed").order_by("-pk"):
        found[post.outcome].append(post)
    return found
