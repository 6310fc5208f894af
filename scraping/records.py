"""What one record of a file says, whatever its source calls the fields; ValueError says what is wrong with it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from game.pool.rules import normalise
from scraping.rules import Post

# The names that twint, X, Orange and spreadsheets give to one thing; the first that has a value counts.
TEXT = ("tweet", "text", "full_text", "content")
_HANDLE = ("username", "handle", "screen_name", "author")
_LIKES = ("likes", "likes_count", "favorite_count", "favorite count")
_SHARES = ("shares", "retweets_count", "retweet_count", "retweet count")
_RETWEET = ("retweet", "is retweet", "is_retweet")
_REPLY = ("is reply", "is_reply")
_ANSWERED = ("in_reply_to_status_id", "in_reply_to_user_id", "in_reply_to_screen_name")
_SAYS_REPLY = frozenset(_REPLY + _ANSWERED)
_ACCOUNT = ("user_id", "author_id")
_TIME = ("posted_at", "created_at")

# As wide as the columns of the table of authors.
MAX_NAME_LENGTH = 120
MAX_LINK_LENGTH = 300
_WEB_ADDRESS = re.compile(r"https?://[^\s\"<>]+")
_STATUS_ID = re.compile(r"/status(?:es)?/([0-9]{1,20})\b")
_OFFSET = re.compile(r"[+-]\d\d:?\d\d")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Wed Oct 10 20:19:24 +0000 2018
_OF_TWITTER = re.compile(rf"[A-Z][a-z]{{2}} ({'|'.join(_MONTHS)}) (\d\d) (\d\d:\d\d:\d\d) ([+-]\d{{4}}) (\d{{4}})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_record(record: Mapping[str, Any], *, handle: str) -> Post:
    """Return the post that `record` describes; `handle` is its author where it names none."""
    text = _first(record, TEXT)
    if text is None and not any(name in record for name in TEXT):
        raise ValueError(f"has no {', '.join(TEXT)}")
    link = _link(record.get("link"))
    # `id` may have been rounded by a browser on its way here; the one in the link never is.
    own_id = found[1] if (found := _STATUS_ID.search(link)) else _number(record.get("id"))
    author = _handle(record) or handle
    facts = {"likes": _count(record, _LIKES), "shares": _count(record, _SHARES), "link": link, "source_id": own_id}
    return Post(
        text=_words(text, "text"),
        handle=author,
        name=_name(record),
        posted_at=_time(record),
        is_retweet=_is_true(_first(record, _RETWEET)),
        is_reply=_is_reply(record, own_id, author),
        is_superseded=bool(record.get("is_superseded")),
        facts={name: value for name, value in facts.items() if value not in (None, "")},
        account_id=_number(_first(record, _ACCOUNT)),
    )


def _is_true(value: Any) -> bool:
    return value is True or (bool(value) and str(value).casefold() in ("true", "1", "yes", "t"))


def _is_reply(record: Mapping[str, Any], own_id: str, handle: str) -> bool:
    if not record.keys().isdisjoint(_SAYS_REPLY):
        answered = _first(record, _ANSWERED)
        if _is_true(_first(record, _REPLY)) or (answered is not None and answered == answered):
            return True
    if own_id and (opener := _number(record.get("conversation_id"))):
        return own_id != opener
    # twint lists who is answered, the author first.
    others = record.get("reply_to")
    named = [_first(other, _HANDLE) for other in others if isinstance(other, dict)] if isinstance(others, list) else []
    return any(str(name).casefold() != handle.casefold() for name in named if name)


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if (value := record.get(name)) not in (None, ""):
            return value
    return None


def _words(value: Any, what: str) -> str:
    if value is None or value != value:  # NaN, as pandas writes a missing value
        return ""
    if not isinstance(value, str):
        raise ValueError(f"has a {what} that is not text")
    return value


def _handle(record: Mapping[str, Any]) -> str:
    value = _first(record, _HANDLE)
    return _tidy_handle(value) if isinstance(value, str) else _words(value, "username")


def _name(record: Mapping[str, Any]) -> str:
    value = record.get("name")
    return _tidy_name(value) if isinstance(value, str) else _words(value, "name")


# Names come again and again.
@lru_cache(maxsize=10_000)
def _tidy_name(value: str) -> str:
    return normalise(value)[:MAX_NAME_LENGTH]


@lru_cache(maxsize=10_000)
def _tidy_handle(value: str) -> str:
    handle = normalise(value).lstrip("@ ")
    if len(handle) > MAX_NAME_LENGTH:
        raise ValueError(f"has a username longer than {MAX_NAME_LENGTH} characters")
    return handle


def _count(record: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    value = _first(record, names)
    if value is None or value != value:
        return None
    try:
        count = value if isinstance(value, int) else int(float(value))
    except (TypeError, ValueError, OverflowError):
        count = -1
    # JSON can't hold larger whole numbers.
    if not 0 <= count < 2**53:
        raise ValueError(f"has {names[0]} that are not a number: {str(value)[:40]!r}")
    return count


def _link(value: Any) -> str:
    """Return the address that the reveal may link to; nothing for what is not one, such as javascript:."""
    if isinstance(value, str) and len(value) <= MAX_LINK_LENGTH and _WEB_ADDRESS.fullmatch(link := normalise(value)):
        return link
    return ""


def _number(value: Any) -> str:
    """Return the digits of the id in `value`; nothing for what is not one."""
    digits = str(value or "")
    return digits if len(digits) <= 20 and digits.isdecimal() and digits.isascii() else ""


def _time(record: Mapping[str, Any]) -> datetime | None:
    stamp = _first(record, _TIME)
    if stamp is not None and (moment := read_moment(stamp)):
        return moment
    date, clock, zone = (str(record.get(name) or "") for name in ("date", "time", "timezone"))
    together = f"{date} {clock}{zone if _OFFSET.fullmatch(zone) else ''}" if date and clock else date or clock
    if together and (moment := read_moment(together)):
        return moment
    for value in (stamp, together):
        if value not in (None, "") and value == value:
            raise ValueError(f"has a time that can't be read: {str(value)[:40]!r}")
    return None


def read_moment(value: Any) -> datetime | None:
    """Return the time in UTC that `value` is: milliseconds since 1970, ISO 8601 or Twitter's own form; None where it is none, or absurd."""
    try:
        if isinstance(value, int | float) or (isinstance(value, str) and value.isdecimal() and len(value) > len("20200531")):
            moment = _EPOCH + timedelta(milliseconds=float(value))
        else:
            stated = datetime.fromisoformat(_iso(str(value).strip()))
            moment = stated.astimezone(UTC) if stated.tzinfo else stated.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    # Seconds read as milliseconds end up in January 1970.
    return moment if 1990 <= moment.year < 2100 else None


def _iso(stamp: str) -> str:
    if found := _OF_TWITTER.fullmatch(stamp):
        month, day, clock, zone, year = found.groups()
        return f"{year}-{_MONTHS.index(month) + 1:02}-{day}T{clock}{zone}"
    return stamp.removesuffix(" UTC")
