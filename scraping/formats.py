"""Readers of files: each yields (line number, post or what is wrong with the line), and holds one line at a time."""

import bz2
import csv
import gzip
import json
import lzma
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from scraping.rules import Post

# A line longer than this is not a post; it is skipped without being held in memory.
MAX_LINE_BYTES = 1 << 20
csv.field_size_limit(MAX_LINE_BYTES)

Row = tuple[int, Post | str]
_OPENERS: Mapping[str, Callable[[BinaryIO], Any]] = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}


class UnreadableFile(Exception):
    """A file that can't be read, or not further; the message says which, where and what to do."""


def read_posts(path: Path, raw: BinaryIO, *, handle: str) -> Iterator[Row]:
    """Yield the rows of the open file `raw`, whose format the name of `path` tells.

    `handle` is the author where a file names none. Raises UnreadableFile for a format that
    is not known, and for a compressed file that is cut off or corrupt.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    opener = _OPENERS.get(suffixes[-1]) if suffixes else None
    kind = (suffixes[-2:-1] if opener else suffixes[-1:]) or [""]
    try:
        read = _READERS[kind[0]]
    except KeyError:
        known = ", ".join(sorted(_READERS))
        raise UnreadableFile(f"{path}: unknown format; name it {known}, with .gz, .xz or .bz2 behind if compressed.") from None
    number = 0
    try:
        for number, post in read(_lines(opener(raw) if opener else raw), handle):
            yield number, post
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, OSError) as error:
        raise UnreadableFile(f"{path}: can't be read past line {number} ({error}); what came before it is kept.") from error


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(MAX_LINE_BYTES):
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            line = b"\x00"  # refused by every reader below
        yield line


def _decode(line: bytes) -> str:
    """Return the line as text; ValueError says what is wrong with it."""
    if b"\x00" in line:
        raise ValueError(f"has a NUL byte, or is longer than {MAX_LINE_BYTES:,} bytes")
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start + 1}") from None


def _read_plain(lines: Iterator[bytes], handle: str) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        try:
            text = _decode(line).strip()
        except ValueError as error:
            yield number, str(error)
            continue
        if text:
            yield number, Post(text=text, handle=handle)


def _read_twint(lines: Iterator[bytes], handle: str) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield number, _twint_post(json.loads(_decode(line)), handle)
        except json.JSONDecodeError as error:
            yield number, f"is not JSON: {error.msg} at column {error.colno}"
        except RecursionError:
            yield number, "is not a post: nested too deep"
        except (ValueError, OverflowError) as error:
            yield number, str(error)


def _twint_post(record: Any, handle: str) -> Post:
    if not isinstance(record, dict):
        raise ValueError("is not a JSON object")
    text, link = record.get("tweet"), str(record.get("link") or "")
    if not isinstance(text, str):
        raise ValueError("has no text in `tweet`")
    # `id` may have been rounded by a browser on its way here; the one in the link never is.
    own_id = link.rsplit("/", 1)[-1] or str(record.get("id", ""))
    conversation = str(record.get("conversation_id") or own_id)
    facts = {"likes": record.get("likes_count"), "shares": record.get("retweets_count"), "link": link, "source_id": own_id}
    return Post(
        text=text,
        handle=str(record.get("username") or handle),
        name=str(record.get("name") or ""),
        posted_at=_twint_time(record),
        is_retweet=record.get("retweet") in (True, "True", "true", 1),
        is_reply=conversation != own_id,
        facts=_known(facts),
    )


def _twint_time(record: Mapping[str, Any]) -> datetime | None:
    created = record.get("created_at")
    if isinstance(created, int | float):
        return datetime.fromtimestamp(created / 1000, UTC)
    return _time(created or f"{record.get('date') or ''} {record.get('time') or ''}")


_TEXT = ("text", "tweet", "content")
_HANDLE = ("username", "handle", "author", "screen_name")
_TIME = ("posted_at", "created_at", "date", "time")
_COUNTS = {"likes": ("likes", "likes_count", "favorite count"), "shares": ("shares", "retweets_count", "retweet count")}
_TRUE = ("true", "1", "yes", "t")


def _read_csv(lines: Iterator[bytes], handle: str, delimiter: str = ",", header_rows: int = 1) -> Iterator[Row]:
    broken: dict[int, str] = {}

    def texts() -> Iterator[str]:
        for number, line in enumerate(lines, 1):
            try:
                yield _decode(line)
            except ValueError as error:
                broken[number] = str(error)
                yield "\n"

    reader = csv.reader(texts(), delimiter=delimiter)
    names: list[str] = []
    rows = 0
    while True:
        try:
            values = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            yield reader.line_num, str(error)
            continue
        finally:
            yield from sorted(broken.items())
            broken.clear()
        if not values:
            continue
        rows += 1
        if rows == 1:
            names = [name.strip().casefold() for name in values]
            if not set(_TEXT) & set(names):
                raise UnreadableFile(f"Line 1 names no column {', '.join(_TEXT)}: the first line must name the columns.")
        if rows <= header_rows:
            continue
        if len(values) != len(names):
            yield reader.line_num, f"has {len(values)} fields, the first line names {len(names)}"
            continue
        try:
            yield reader.line_num, _table_post(dict(zip(names, values, strict=True)), handle)
        except ValueError as error:
            yield reader.line_num, str(error)


def _read_orange(lines: Iterator[bytes], handle: str) -> Iterator[Row]:
    # Orange writes three header rows: names, types, roles.
    return _read_csv(lines, handle, delimiter="\t", header_rows=3)


def _table_post(row: Mapping[str, str], handle: str) -> Post:
    def first(names: tuple[str, ...]) -> str:
        return next((row[name] for name in names if row.get(name)), "")

    link = row.get("link", "")
    facts = {name: int(float(value)) for name, names in _COUNTS.items() if (value := first(names))}
    own_id = link.rsplit("/", 1)[-1]
    return Post(
        text=first(_TEXT),
        handle=first(_HANDLE).lstrip("@") or handle,
        name=row.get("name", ""),
        posted_at=_time(first(_TIME)),
        is_retweet=(row.get("is retweet") or row.get("retweet") or "").casefold() in _TRUE,
        is_reply=bool(own_id) and row.get("conversation_id", own_id) not in ("", own_id),
        facts=_known({**facts, "link": link}),
    )


def _time(value: Any) -> datetime | None:
    """Return the ISO 8601 time in `value`, in UTC where it names no zone; None where there is none."""
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError(f"has a time that is not ISO 8601: {value[:40]!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _known(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in (None, "")}


_READERS: Mapping[str, Callable[[Iterator[bytes], str], Iterator[Row]]] = {
    ".json": _read_twint,
    ".jsonl": _read_twint,
    ".csv": _read_csv,
    ".tab": _read_orange,
    ".txt": _read_plain,
}
