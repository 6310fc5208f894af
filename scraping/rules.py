"""What only scraped posts need: which ones are kept, and why the others are dropped."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import pycld2

from game.pool.rules import normalise

MIN_LENGTH = 25
# X's longest ordinary post is 280; anything much longer is a different kind of text.
MAX_LENGTH = 400


class Drop(StrEnum):
    """Why a post is not kept."""

    BROKEN = "broken line"
    RETWEET = "retweet"
    REPLY = "reply"
    LINK = "has a link"
    TRUNCATED = "cut off"
    MARKUP = "markup left"
    LANGUAGE = "other language"
    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    DUPLICATE = "duplicate"
    OTHER_AUTHOR = "not an author asked for"


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
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What an import decides about cleaning."""

    language: str = "en"
    trailing_links: Literal["drop", "strip"] = "drop"


_TLD = "com|org|net|gov|edu|co|io|ly|me|tv|us|uk|ca|de|fr|eu|gl|be|it|info|biz|news|vc|ai|app|fm|st|gd|is|mil|int|dev|blog|live|page"
_LINK = re.compile(
    rf"""(?ix)
      (?: https?\s?:\s?/ | https?:// | \bwww\.\w | \bpic\.twitter\.com )
    | \b t\.co/
    | (?<![@\w.]) [a-z0-9][a-z0-9-]* (?:\.[a-z0-9-]+)* \.(?:{_TLD}) / [^\s]*   # a path makes it a link
    | (?<![@\w.]) [a-z0-9][a-z0-9-]+ (?:\.[a-z0-9-]+)* \.(?:com|org|net|gov|edu) \b
    """
)
_TRAILING_LINK = re.compile(r"(?i)\s*(?:https?://|pic\.twitter\.com/|(?<!\w)t\.co/)[^\s]*$")
_MANUAL_RETWEET = re.compile(r"""(?ix) ^["'\s.]* (?:RT|MT) \b | \b(?:RT|MT)\s*:?\s*["']?\s*@\w | ^\s*["']\s*\.?\s*@\s?\w+ \s* (?:["':,-]|\s)""")
_MARKUP = re.compile(r"(?i)&(?:[a-z]{2,8}|#\d+);|</?(?:a|b|br|p|i|div|span|img|script|strong|em|blockquote)\b[^<>]*>")


def clean(post: Post, cleaning: Cleaning) -> str | Drop:
    """Return the text of `post` as the pool keeps it, or the reason why it is dropped.

    The order of the checks is the order in which reasons are counted: what a post *is*
    (retweet, reply) comes before what is wrong with its text.
    """
    text = whole = normalise(post.text)
    if post.is_retweet or _MANUAL_RETWEET.search(text):
        return Drop.RETWEET
    if post.is_reply or text.startswith("@"):
        return Drop.REPLY
    if cleaning.trailing_links == "strip":
        text = _strip_trailing_links(text)
    if _LINK.search(text):
        return Drop.LINK
    # Where a link followed the ellipsis, the platform cut the post; elsewhere a person typed it.
    if text != whole and text.endswith("..."):
        return Drop.TRUNCATED
    if _MARKUP.search(text):
        return Drop.MARKUP
    if len(text) < MIN_LENGTH:
        return Drop.TOO_SHORT
    if len(text) > MAX_LENGTH:
        return Drop.TOO_LONG
    if _is_surely_other_language(text, cleaning.language):
        return Drop.LANGUAGE
    return text


def _strip_trailing_links(text: str) -> str:
    while (shorter := _TRAILING_LINK.sub("", text)) != text:
        text = shorter
    return text


_MENTION_OR_TAG = re.compile(r"[@#]\w+")


def _is_surely_other_language(text: str, language: str) -> bool:
    # Handles and hashtags are names: they say nothing about the language round them.
    prose = _MENTION_OR_TAG.sub(" ", text)
    try:
        reliable, _, ranked = pycld2.detect(prose, isPlainText=True, bestEffort=False)
    except pycld2.error:  # not valid text for it: no opinion
        return False
    _, code, percent, _ = ranked[0]
    return bool(reliable) and percent >= 80 and code not in (language, "un")
