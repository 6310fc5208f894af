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


_SHAPES = {
    "bluesky": re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]"),
    "mastodon": re.compile(r"[a-z0-9_]+(?:[.-]+[a-z0-9_]+)*@[a-z0-9.-]+(?::[0-9]+)?"),
    "x": re.compile(r"[a-z0-9_]{1,15}"),
    "twint": re.compile(r"[a-z0-9_]{1,15}"),
}
_LOOKS = {"bluesky": "name.bsky.social", "mastodon": "name@mastodon.social", "x": "name", "twint": "name"}
# Addresses of profiles, as a browser shows them.
_ADDRESSES = (
    ("bluesky", re.compile(r"https?://bsky\.app/profile/([^/?#\s]+)/?"), "{0}"),
    ("x", re.compile(r"https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/([A-Za-z0-9_]+)/?"), "{0}"),
    ("mastodon", re.compile(r"https?://([^/\s]+)/@([^/@?#\s]+)/?"), "{1}@{0}"),
)
MAX_HANDLE_LENGTH = 120


def read_handles(lines: Iterable[str], *, where: str) -> list[Handle]:
    """Return the handles of a list, each once, in its order; `where` names the list in errors.

    A line is `source:handle`, the address of a profile, blank, or a comment behind `#`. Without a source
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
    source, colon, handle = text.partition(":")
    if colon and source.strip().casefold() in PLATFORMS:
        return _check(source.strip().casefold(), handle)
    if colon and not handle.isdecimal():
        raise ValueError(f"{source[:40]!r} is no source: use {', '.join(sorted(PLATFORMS))}.")
    name = text.lstrip("@")
    guess = "mastodon" if "@" in name else "bluesky" if "." in name else ""
    if not guess:
        raise ValueError(f"{text[:40]!r} names no source: write x:{name[:40]}, or the source it is read from.")
    return _check(guess, name)


def _check(source: str, handle: str) -> Handle:
    handle = handle.strip().lstrip("@").casefold()
    if len(handle) > MAX_HANDLE_LENGTH or not _SHAPES[source].fullmatch(handle):
        raise ValueError(f"{handle[:40]!r} can't be a handle of {source}: it looks like {_LOOKS[source]}.")
    return Handle(source, handle)
