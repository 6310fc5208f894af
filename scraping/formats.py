"""Readers of files: each yields (line number, post or what is wrong with the line), and holds one record at a time."""

import bz2
import codecs
import csv
import gzip
import json
import lzma
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from scraping.archives import ArchiveError, read_archive
from scraping.records import TEXT, read_record
from scraping.rules import Post
from scraping.twitter_records import plain_records

# A longer line is not a post, or a page of posts; it is skipped without being held in memory.
MAX_LINE_BYTES = 1 << 20
MAX_PAGE_BYTES = 1 << 23
# A quoted field that has not ended after so many lines never will.
MAX_RECORD_LINES = 100

_DECODER = json.JSONDecoder()

Row = tuple[int, Post | str]
# Lines as the file has them; None stands for one that is too long.
_Lines = Iterator[bytes | None]
_Numbered = tuple[int, bytes | None]
_OPENERS: Mapping[str, Callable[[BinaryIO], Any]] = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}


class UnreadableFile(Exception):
    """A file that can't be read, or not further; the message says which, where and what to do."""


def check_format(path: Path) -> None:
    """Raise UnreadableFile where the name of `path` tells no format that can be read."""
    _find_reader(path)


def read_posts(path: Path, raw: BinaryIO, *, handle: str) -> Iterator[Row]:
    """Yield the rows of the open file `raw`, whose format the name of `path` tells.

    `handle` is the author where a file names none. Raises UnreadableFile for a format that
    is not known, and for a file that is cut off, corrupt or without a column of texts.
    """
    read, opener = _find_reader(path)
    number = 0
    try:
        for number, post in read(opener(raw) if opener else raw, handle):
            yield number, post
    except (EOFError, lzma.LZMAError, zlib.error, OSError) as error:
        raise UnreadableFile(f"{path}: can't be read past line {number} ({error}); what came before it is kept.") from error
    except (_NoTextColumn, ArchiveError) as error:
        raise UnreadableFile(f"{path}: {error}") from error


def _find_reader(path: Path) -> tuple["_Reader", Callable[[BinaryIO], Any] | None]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    opener = _OPENERS.get(suffixes[-1]) if suffixes else None
    kind = "".join(suffixes[-2:-1] if opener else suffixes[-1:])
    if kind not in _READERS or (opener and kind == ".zip"):
        known = ", ".join(sorted(_READERS.keys() - {".zip"}))
        raise UnreadableFile(f"{path}: unknown format; name it .zip, {known}, with .gz, .xz or .bz2 behind if compressed.")
    return _READERS[kind], opener


def _lines(stream: BinaryIO, longest: int = MAX_LINE_BYTES) -> _Lines:
    while line := stream.readline(longest):
        if len(line) == longest and not line.endswith(b"\n"):
            while (rest := stream.readline(longest)) and not rest.endswith(b"\n"):
                pass
            yield None
        else:
            yield line


def _decode(line: bytes | None, longest: int = MAX_LINE_BYTES) -> str:
    """Return the line as text; ValueError says what is wrong with it."""
    if line is None:
        raise ValueError(f"is longer than {longest:,} bytes")
    if b"\x00" in line:
        raise ValueError("has a NUL byte")
    try:
        return line.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start + 1}") from None


def _read_plain(stream: BinaryIO, handle: str) -> Iterator[Row]:
    for number, line in enumerate(_lines(stream), 1):
        try:
            if text := _decode(line).strip():
                yield number, Post(text=text, handle=handle)
        except ValueError as error:
            yield number, str(error)


def _read_json_lines(stream: BinaryIO, handle: str) -> Iterator[Row]:
    for number, line in enumerate(_lines(stream, MAX_PAGE_BYTES), 1):
        try:
            if text := _decode(line, MAX_PAGE_BYTES).strip():
                for record in plain_records(_json_object(text)):
                    yield number, _read(record, handle)
        except ValueError as error:
            yield number, str(error)


def _read(record: Mapping[str, Any], handle: str) -> Post | str:
    try:
        return read_record(record, handle=handle)
    except ValueError as error:
        return str(error)


def _json_object(text: str) -> Mapping[str, Any]:
    try:
        record, end = _DECODER.raw_decode(text)
        if end != len(text):
            json.loads(text)  # says what is wrong
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("is JSON nested too deep") from None
    except ValueError:
        raise ValueError("is JSON with a number too long to read") from None
    if not isinstance(record, dict):
        raise ValueError("is not a JSON object: one post a line, in braces")
    return record


class _NoTextColumn(Exception):
    """A table whose first line names no column that holds texts."""


def _read_table(stream: BinaryIO, handle: str, *, delimiter: str = ",", header_rows: int = 1) -> Iterator[Row]:
    names: list[str] = []
    headers = 0
    for number, values in _records(_lines(stream), delimiter):
        if isinstance(values, str):
            yield number, values
        elif not names:
            names, headers = [name.strip().casefold() for name in values], 1
            if not set(TEXT) & set(names):
                raise _NoTextColumn(f"line {number} names no column {', '.join(TEXT)}; the first line must name the columns.")
        elif headers < header_rows:
            headers += 1
        elif len(values) != len(names):
            yield number, f"has {len(values)} fields, the first line names {len(names)}"
        else:
            yield number, _read(dict(zip(names, values, strict=True)), handle)


def _read_tabs(stream: BinaryIO, handle: str) -> Iterator[Row]:
    return _read_table(stream, handle, delimiter="\t")


def _read_orange(stream: BinaryIO, handle: str) -> Iterator[Row]:
    # Orange writes three header rows: names, types, roles.
    return _read_table(stream, handle, delimiter="\t", header_rows=3)


def _records(lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the number of the line that a record starts on, and its fields or what is wrong with it.

    The csv module alone would take all that follows a quote without an end for one field; here
    only the line that opens it is given up.
    """
    numbered = enumerate(lines, 1)
    waiting: deque[_Numbered] = deque()

    def take() -> _Numbered | None:
        return waiting.popleft() if waiting else next(numbered, None)

    while first := take():
        number, line = first
        try:
            text = _decode(line)
        except ValueError as error:
            yield number, str(error)
            continue
        # A quote without its fellow may be half of a record that a broken line tore apart.
        values = None if text.count('"') % 2 else _split(text, delimiter)
        if values is None:
            values, taken = _complete(text, take, delimiter)
            if values is None:
                waiting.extendleft(reversed(taken))
                yield number, "has a quote that does not end, or a quote or line break where none may be"
        if values:
            yield number, values


def _complete(text: str, take: Callable[[], _Numbered | None], delimiter: str) -> tuple[list[str] | None, list[_Numbered]]:
    """Take lines until the quotes of `text` pair up; return the fields, None if it has none, and the lines taken."""
    taken: list[_Numbered] = []
    while text.count('"') % 2 and len(taken) < MAX_RECORD_LINES and len(text) < MAX_LINE_BYTES and (more := take()):
        taken.append(more)
        try:
            text += _decode(more[1])
        except ValueError:
            return None, taken
    return _split(text, delimiter), taken


def _split(text: str, delimiter: str) -> list[str] | None:
    """Return the fields of the one record in `text`, none of a blank line, None where it is not one record."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


_Reader = Callable[[BinaryIO, str], Iterator[Row]]
_READERS: Mapping[str, _Reader] = {
    ".json": _read_json_lines,
    ".jsonl": _read_json_lines,
    ".csv": _read_table,
    ".tsv": _read_tabs,
    ".tab": _read_orange,
    ".txt": _read_plain,
    ".zip": read_archive,
}
