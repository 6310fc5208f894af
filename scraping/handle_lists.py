"""Lists of handles: a line each, as people write them down or copy them from a browser."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from scraping.rules import PLATFORMS


class HandlesError(Exception):
    """A list that can't be read; the message names the line."""


class Handle(NamedTuple):
    """An account as a list names it: in small letters, without the @."""

    source: str
    handle: str


# Names of the public internet alone: no port, no address in figures, nothing of the network that we are in.
_HOST = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]"
_SHAPES = {
    "bluesky": re.compile(_HOST),
    "mastodon": re.compile(rf"[a-z0-9_]+(?:[.-]+[a-z0-9_]+)*@{_HOST}"),
    "x": re.compile(r"[a-z0-9_]{1,15}"),
    "twint": re.compile(r"[a-z0-9_]{1,15}"),
}
_LOOKS = {"bluesky": "name.bsky.social", "mastodon": "name@mastodon.social", "x": "name", "twint": "name"}
# Addresses of profiles and of posts, as a browser shows them. Pages of x.com that are nobody's look like profiles.
_NOBODY = "explore|hashtag|home|i|intent|login|messages|notifications|search|settings|share"
_ADDRESSES = tuple(
    (source, re.compile(rf"(?:https?://)?{address}(?:[/?#].*)?", re.IGNORECASE), spelled)
    for source, address, spelled in (
        ("bluesky", r"bsky\.app/profile/([^/?#\s]+)", "{0}"),
        ("x", rf"(?:www\.|mobile\.)?(?:x|twitter)\.com/@?(?!(?:{_NOBODY})(?:[/?#]|$))([a-z0-9_]+)", "{0}"),
        # An instance shows people of others, too.
        ("mastodon", r"[^/@\s]+/@([^/@?#\s]+)@([^/@?#\s]+)", "{0}@{1}"),
        ("mastodon", r"([^/@\s]+)/@([^/@?#\s]+)", "{1}@{0}"),
    )
)
MAX_HANDLE_LENGTH = 120


def read_handles(lines: Iterable[str], *, where: str) -> list[Handle]:
    """Return the handles of a list, each once, in its order; `where` names the list in errors.

    A line is `source:handle`, the address of a profile or of a post, blank, or a comment behind `#`. Without a source
    `name@host` is Mastodon's, `name.host` Bluesky's. Raises HandlesError.
    """
    found: dict[Handle, None] = {}
    for number, line in enumerate(lines, 1):
        text = re.sub(r"(?:^|\s)#.*", "", line.lstrip("\ufeff")).strip()
        if text:
            try:
                found[_read_line(text)] = None
            except ValueError as error:
                raise HandlesError(f"{where}, line {number}: {error}") from None
    return list(found)


def _read_line(text: str) -> Handle:
    for source, address, spelled in _ADDRESSES:
        if match := address.fullmatch(text):
            return _check(source, spelled.format(*match.groups()))
    if "://" in text:
        raise ValueError(f"{text[:80]!r} is no address of a profile at Bluesky, Mastodon or X.")
    source, colon, handle = text.partition(":")
    if colon and source.strip().casefold() in PLATFORMS:
        return _check(source.strip().casefold(), handle)
    if colon and not handle.isdecimal():
        raise ValueError(f"{source[:40]!r} is no source: use {', '.join(sorted(PLATFORMS))}.")
    name = text.lstrip("@")
    guess = "mastodon" if "@" in name else "bluesky" if "." in name else ""
    if not guess and _SHAPES["x"].fullmatch(name.casefold()):
        raise ValueError(f"{text[:40]!r} names no source: write x:{name}, or the source it is read from.")
    if not guess:
        raise ValueError(f"{text[:40]!r} names nobody: write an address, or one account as source:name.")
    return _check(guess, name)


def _check(source: str, handle: str) -> Handle:
    handle = handle.strip().lstrip("@").casefold()
    if source == "bluesky" and handle.startswith("did:"):
        raise ValueError(f"{handle[:40]!r} is an id, not a name: write the handle that the profile shows, as in {_LOOKS[source]}.")
    if len(handle) > MAX_HANDLE_LENGTH or not _SHAPES[source].fullmatch(handle):
        raise ValueError(f"{handle[:40]!r} can't be a handle of {source}: it looks like {_LOOKS[source]}.")
    return Handle(source, handle)
