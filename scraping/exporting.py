"""Approved human tweets into a file for others: ids, and texts where a platform's terms let them leave."""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from game.pool.models import Category, Kind, Status, Tweet
from scraping.optouts import read_opt_outs
from scraping.retention import TERMS

# What became of a tweet.
WITH_TEXT, ID_ONLY, WITHOUT_ID, OPTED_OUT = "with text", "id only", "left out, no id", "left out, opted out"
CHUNK = 2_000


def export_tweets(*, category: Category, path: Path) -> Counter[tuple[str, str]]:
    """Write a category's approved human tweets into a file, whole or not at all, as `write_tweets` does; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            counts = write_tweets(category=category, write=file.write)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return counts


def write_tweets(*, category: Category, write: Callable[[str], object]) -> Counter[tuple[str, str]]:
    """Hand a category's approved human tweets to `write` as JSON lines; return how many there are of each platform and fate.

    Each line has platform, source_id, link, posted_at (ISO 8601, UTC), split, and `text` where it may leave.
    """
    counts: Counter[tuple[str, str]] = Counter()
    opt_outs = read_opt_outs()
    tweets = Tweet.objects.filter(category=category, kind=Kind.HUMAN, status=Status.APPROVED).exclude(text="")
    for tweet in tweets.select_related("author").order_by("pk").iterator(CHUNK):
        platform = tweet.author.platform
        if opt_outs.holds(platform, tweet.author.handle):
            counts[platform, OPTED_OUT] += 1
            continue
        line = _describe(tweet)
        fate = WITH_TEXT if "text" in line else ID_ONLY if line["source_id"] else WITHOUT_ID
        counts[platform, fate] += 1
        if fate != WITHOUT_ID:
            write(json.dumps(line, ensure_ascii=False) + "\n")
    return counts


def _describe(tweet: Tweet) -> dict[str, Any]:
    line = {
        "platform": tweet.author.platform,
        "source_id": tweet.facts.get("source_id", ""),
        "link": tweet.facts.get("link", ""),
        "posted_at": tweet.posted_at and tweet.posted_at.isoformat(),
        "split": tweet.split,
    }
    terms = TERMS.get(tweet.author.platform)
    return line | {"text": tweet.text} if terms and terms.texts_may_leave else line
