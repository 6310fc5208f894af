"""The sources as a page shows them. Their adapters load client libraries, which the web process does without; a test compares the two."""

import importlib.util
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Entry:
    """What a moderator should know of a source; prices are in dollars."""

    name: str
    title: str
    what: str
    followers: bool = True
    deletions: bool = True
    # Of one account, that it shows at all; 0 is no limit.
    most_posts: int = 0
    price_of_post: Decimal = Decimal(0)
    price_of_account: Decimal = Decimal(0)


SOURCES = {
    entry.name: entry
    for entry in (
        Entry("bluesky", "Bluesky", "Everything public, without an account."),
        Entry("mastodon", "Mastodon", "Everything public, each account at its own instance."),
        Entry(
            "x",
            "X",
            "The newest 800 posts of an account, by the paid API.",
            most_posts=800,
            price_of_post=Decimal("0.005"),
            price_of_account=Decimal("0.010"),
        ),
        Entry(
            "twint",
            "twint",
            "Servers that speak like the twitter.com of 2020. The real site does not answer it any more.",
            deletions=False,
        ),
    )
}


def missing_for(name: str) -> str:
    """Say what has to be done before a source can be read here; nothing, as a rule."""
    if name == "x" and not settings.X_BEARER_TOKEN:
        return "Set X_BEARER_TOKEN to the token of an app on the X API."
    if name == "twint":
        if importlib.util.find_spec("twint") is None:
            return "Install it: sh requirements/install.sh scrape"
        if not settings.SCRAPE_PROXIES:
            return "Set SCRAPE_PROXIES to a proxy that leads to such a server."
    return ""
