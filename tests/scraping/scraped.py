"""What tests of scraping ask of the database."""

from typing import Any

from game.pool.models import Category, Tweet
from scraping.models import Feed, RawPost


def everything(category: Category) -> dict[str, Any]:
    """Return all that scraping left of a category, but for times and ids: equal for runs that came to the same."""
    posts = RawPost.objects.filter(feed__category=category).order_by("feed__source", "feed__handle", "source_id")
    tweets = Tweet.objects.filter(category=category).order_by("fingerprint")
    return {
        "feeds": list(Feed.objects.filter(category=category).values_list("source", "handle", "state", "passing", "cursor", "passes")),
        "posts": list(posts.values_list("feed__handle", "source_id", "in_pass", "outcome", "record", "tweet__text")),
        "tweets": list(tweets.values_list("author__handle", "author__platform", "text", "status", "posted_at", "facts")),
    }
