"""What only scraped posts need: which ones are kept, and why the others are dropped."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from game.pool.personal import personal_data
from game.pool.rules import MAX_LENGTH, MIN_LENGTH, has_link, has_markup, is_manual_retweet, is_piece, is_surely_other_language, normalise
from game.pool.unsafe import unsafe_words

# One more whenever `clean` comes to decide anything differently: `manage.py reclean` then cleans again what an earlier one cleaned.
CLEANING_VERSION = 2
# By source: the platform whose handles it reads. `twint` and `x` are two ways to one platform.
PLATFORMS = {"bluesky": "bluesky", "mastodon": "mastodon", "x": "twitter", "twint": "twitter"}

# Longer than any post with its links and entities: not worth a look at its words.
MAX_RAW_LENGTH = 8_000


class Drop(StrEnum):
    """Why a post is not kept."""

    BROKEN = "broken line"
    RETWEET = "retweet"
    REPLY = "reply"
    SUPERSEDED = "edited later"
    PIECE = "piece of a thread"
    LINK = "has a link"
    TRUNCATED = "cut off"
    MARKUP = "markup left"
    LANGUAGE = "other language"
    PERSONAL = "personal data"
    UNSAFE = "unsafe word"
    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    DUPLICATE = "duplicate"
    OTHER_AUTHOR = "not an author asked for"
    OPTED_OUT = "author opted out"


@dataclass(frozen=True, slots=True)
class Post:
    """A post as a source wrote it, before cleaning."""

    text: str
    handle: str
    platform: str = "twitter"
    name: str = ""
    posted_at: datetime | None = None
    is_retweet: bool = False
    is_reply: bool = False
    # A later version of it exists, and comes as a post of its own.
    is_superseded: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    # The platform's own id of the author, where the source tells it.
    account_id: str = ""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What an import decides about cleaning."""

    language: str = "en"
    trailing_links: Literal["drop", "strip"] = "drop"


# Twitter cut at 140 characters, in the middle of a word, until 2016; a long SMS came in parts, with a header each.
_CUT_OFF = re.compile(r"(?s).{136} \.{3}|.{139}…|\x05\x00\x03.*")
_TRAILING_LINK = re.compile(r"(?i)\s*(?:https?://|pic\.twitter\.com/|(?<!\w)t\.co/)[^\s]*$")


def clean(post: Post, cleaning: Cleaning) -> str | Drop:
    """Return the text of `post` as the pool keeps it, or the reason why it is dropped.

    The order of the checks is the order in which reasons are counted: what a post *is*
    (retweet, reply) comes before what is wrong with its text.
    """
    if len(post.text) > MAX_RAW_LENGTH:
        return Drop.TOO_LONG
    text = whole = normalise(post.text)
    if post.is_retweet or is_manual_retweet(text):
        return Drop.RETWEET
    if post.is_reply or text.startswith("@"):
        return Drop.REPLY
    if post.is_superseded:
        return Drop.SUPERSEDED
    if cleaning.trailing_links == "strip":
        text = _strip_trailing_links(text)
    if is_piece(text):
        return Drop.PIECE
    if has_link(text):
        return Drop.LINK
    # Where a link followed the ellipsis, the platform cut the post; elsewhere a person typed it.
    if _CUT_OFF.fullmatch(post.text.strip()) or (text != whole and text.endswith("...")):
        return Drop.TRUNCATED
    if has_markup(text):
        return Drop.MARKUP
    if len(text) < MIN_LENGTH:
        return Drop.TOO_SHORT
    if len(text) > MAX_LENGTH:
        return Drop.TOO_LONG
    if is_surely_other_language(text, cleaning.language):
        return Drop.LANGUAGE
    if personal_data(text):
        return Drop.PERSONAL
    if unsafe_words(text):
        return Drop.UNSAFE
    return text


def _strip_trailing_links(text: str) -> str:
    while (shorter := _TRAILING_LINK.sub("", text)) != text:
        text = shorter
    return text
