"""Reading a whole account, as whoever walks does it."""

from scraping.rules import Post
from scraping.sources.base import Page, Source


def read_all(source: Source, handle: str, newer_than: str = "") -> list[Page]:
    """Return every page of an account's posts."""
    [account] = source.resolve([handle])
    pages = [source.fetch_posts(account, newer_than=newer_than)]
    while pages[-1].cursor:
        pages.append(source.fetch_posts(account, cursor=pages[-1].cursor, newer_than=newer_than))
    return pages


def read_posts(source: Source, handle: str) -> list[Post]:
    """Return every post of an account."""
    return [post for page in read_all(source, handle) for post in page.posts]
