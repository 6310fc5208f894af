"""The archive that X sends its users on request: a zip file, whose posts are JavaScript in data/tweets.js."""

import codecs
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any, BinaryIO

from scraping.records import read_record
from scraping.rules import Post
from scraping.twitter_records import from_version_1

# Characters: of a post, and of what stands before the first one.
MAX_POST = 1 << 20
_CHUNK = 1 << 16
# JSON of posts shrinks to a tenth or so; what shrinks to this is made to fill memories and disks.
MAX_INFLATION = 300
_HARMLESS = 64 << 20
# Since 2022 data/tweets.js and data/tweets-part1.js, before that data/tweet.js; under one more folder if somebody packed it again.
_POSTS = re.compile(r"(?:.*/)?tweets?(?:-part(\d+))?\.js")
_ACCOUNT = re.compile(r"(?:.*/)?account\.js")
_BETWEEN = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder()


class ArchiveError(Exception):
    """A file that is not the archive, or is damaged; the message says what is wrong, and ends in a full stop."""


def read_archive(raw: BinaryIO, handle: str) -> Iterator[tuple[int, Post | str]]:
    """Yield the number of each post in the archive, and the post or what is wrong with it; ArchiveError.

    Its author is the account that the archive is of, `handle` if it does not say.
    """
    try:
        with zipfile.ZipFile(raw) as archive:
            members = sorted(filter(None, map(_place, archive.infolist())), key=lambda member: member[0])
            if not members:
                raise ArchiveError("has no data/tweets.js: it is not the archive that X sends.")
            account = _account(archive, handle)
            number = 0
            for _, member in members:
                for value in _values(archive, member):
                    number += 1
                    yield number, _post(value, account)
    except zipfile.BadZipFile as error:
        raise ArchiveError(f"is no zip file, or a damaged one ({str(error).rstrip('.')}).") from error


def _place(member: zipfile.ZipInfo) -> tuple[int, zipfile.ZipInfo] | None:
    found = _POSTS.fullmatch(member.filename)
    return (int(found[1] or 0), member) if found else None


def _account(archive: zipfile.ZipFile, handle: str) -> Mapping[str, Any]:
    for member in archive.infolist():
        if _ACCOUNT.fullmatch(member.filename):
            for value in _values(archive, member):
                account = value.get("account") if isinstance(value, dict) else None
                if isinstance(account, dict) and account.get("username"):
                    names = (account.get("username"), account.get("accountDisplayName"), account.get("accountId"))
                    return dict(zip(("screen_name", "name", "id_str"), names, strict=True))
    return {"screen_name": handle}


def _post(value: Any, account: Mapping[str, Any]) -> Post | str:
    # Archives of 2018 have the posts bare.
    record = value.get("tweet", value) if isinstance(value, dict) else value
    if not isinstance(record, dict):
        return "is not a post"
    try:
        return read_record(from_version_1({**record, "user": account}), handle="")
    except ValueError as error:
        return str(error)


def _values(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[Any]:
    """Yield the values of the one array that `member` assigns, a few in memory at a time."""
    name = member.filename
    if member.flag_bits & 1:
        raise ArchiveError("is locked with a password: unpack it, and pack it again without.")
    if member.file_size > max(_HARMLESS, MAX_INFLATION * member.compress_size):
        raise ArchiveError(f"is no archive of X: {name} would swell {member.file_size // max(member.compress_size, 1):,} times.")
    count = 0
    try:
        with archive.open(member) as stream:
            for value in _parse(stream):
                yield value
                count += 1
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, UnicodeDecodeError, _NotAnArray) as error:
        raise ArchiveError(f"can't be read past post {count} of {name} ({str(error).rstrip('.')}); what came before it is kept.") from error


class _NotAnArray(Exception):
    """Text that is no array of JSON, or none any more; the message says why."""


def _parse(stream: IO[bytes]) -> Iterator[Any]:
    # window.YTD.tweets.part0 = [ {…}, {…} ]
    chunks = codecs.iterdecode(iter(lambda: stream.read(_CHUNK), b""), "utf-8-sig")
    text = next(chunks, "")
    at = text.find("[", 0, 1_000) + 1
    if not at:
        raise _NotAnArray("it holds no list")
    while True:
        at = _end_of_gap(text, at)
        if text[at : at + 1] == "]":
            return
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            # Half a value, or a broken one.
            more = next(chunks, "") if len(text) - at < MAX_POST else ""
            if not more:
                raise _NotAnArray("it breaks off, or is not JSON") from error
            text, at = text[at:] + more, 0
        else:
            yield value


def _end_of_gap(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at
