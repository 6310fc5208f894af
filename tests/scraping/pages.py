"""Runs, accounts and posts as the engine leaves them, for the tests of the pages that show them."""

import re
from datetime import timedelta
from typing import Any

from django.utils import timezone

from game.pool.models import Category
from scraping.models import Feed, RawPost, ScrapeRun, Visit

OVER = ("done", "failed", "cancelled")


def make_run(category: Category, **values: Any) -> ScrapeRun:
    """Return a run; one that is over is finished now, one that is not has a minute before it counts as lost."""
    now = timezone.now()
    over = values.get("state", "waiting") in OVER
    return ScrapeRun.objects.create(
        category=category, **({"lease_until": now + timedelta(minutes=1), "finished_at": now if over else None} | values)
    )


def make_feed(category: Category, line: str = "bluesky:ada.bsky.social", **values: Any) -> Feed:
    source, _, handle = line.partition(":")
    return Feed.objects.create(category=category, source=source, handle=handle, **values)


def make_visit(run: ScrapeRun, feed: Feed, **values: Any) -> Visit:
    return Visit.objects.create(run=run, feed=feed, **values)


def make_post(feed: Feed, outcome: str = "LINK", text: str | None = "Look at this", **values: Any) -> RawPost:
    number = RawPost.objects.count() + 1
    record = (
        None if text is None else {"text": text, "handle": feed.handle, "platform": "bluesky", "facts": {"source_id": f"at://{number}"}}
    )
    return RawPost.objects.create(feed=feed, source_id=f"at://{number}", in_pass=0, record=record, outcome=outcome, cleaning=1, **values)


def words_of(response) -> str:
    """Return what a page says, without its markup."""
    text = re.sub(r"<[^>]*>", " ", response.content.decode())
    return re.sub(r"\s+([.,:])", r"\1", " ".join(text.split()))
