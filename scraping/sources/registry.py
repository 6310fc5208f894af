"""Which sources there are, and how each is opened with this installation's settings."""

from collections.abc import Callable

from django.conf import settings

from scraping.sources.base import NotConfigured, Source


def open_source(name: str, *, proxy: str = "") -> Source:
    """Return a new connection to the source `name`, through `proxy` if one is given; raises NotConfigured."""
    if name not in _OPENERS:
        raise NotConfigured(f"{name!r} is no source: use {', '.join(sorted(_OPENERS))}.")
    return _OPENERS[name](proxy)


# Client libraries are loaded when they are needed: together they take seconds and a hundred megabytes.


def _bluesky(proxy: str) -> Source:
    from scraping.sources.bluesky import BlueskySource

    return BlueskySource(base_url=settings.SCRAPE_BLUESKY_URL, proxy=proxy)


def _mastodon(proxy: str) -> Source:
    from scraping.sources.mastodon import MastodonSource

    return MastodonSource(base_url=settings.SCRAPE_MASTODON_URL, proxy=proxy)


def _x(proxy: str) -> Source:
    from scraping.sources.x import XSource

    return XSource(token=settings.X_BEARER_TOKEN, base_url=settings.SCRAPE_X_URL, proxy=proxy)


def _twint(proxy: str) -> Source:
    from scraping.sources.twint import TwintSource

    return TwintSource(proxy=proxy)


_OPENERS: dict[str, Callable[[str], Source]] = {"bluesky": _bluesky, "mastodon": _mastodon, "x": _x, "twint": _twint}
