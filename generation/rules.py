"""What a machine's words may be: pure rules over text and over sets of hashes.

The hashed sets (`words.bin`, `runs.bin`) let a model's folder say which words are known and what
would be copied, without carrying a single tweet.
"""

import hashlib
import re
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# Bytes of one hash, which also tell the two files apart. Among 2**32 values a made-up word passes
# for one of 100,000 known ones once in 43,000 words; runs must not collide at all.
WORD_BYTES = 4
RUN_BYTES = 8
RUN_WORDS = 8

_WORD = re.compile(r"[#@]\w+|[^\W\d_]+(?:'[^\W\d_]+)*")
_ARRAY_TYPES = {WORD_BYTES: "I", RUN_BYTES: "Q"}


def words_of(text: str) -> list[str]:
    """Split a text into casefolded words; hashtags and mentions are words, numbers are not."""
    return _WORD.findall(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").casefold())


def word_hash(word: str) -> int:
    return _hash(word, WORD_BYTES)


def run_hashes(text: str, n: int = RUN_WORDS) -> Iterator[int]:
    """Hash every run of n words of a text; a shorter text has none."""
    words = words_of(text)
    for start in range(len(words) - n + 1):
        yield _hash(" ".join(words[start : start + n]), RUN_BYTES)


def _hash(text: str, size: int) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest(), "little")


@dataclass(frozen=True)
class HashedSet:
    """A set of hashes as a sorted array: 4 or 8 bytes an entry, in memory and in its file."""

    hashes: "array[int]"

    @classmethod
    def of(cls, hashes: Iterable[int], width: int) -> "HashedSet":
        return cls(array(_ARRAY_TYPES[width], sorted(set(hashes))))

    @classmethod
    def from_bytes(cls, data: bytes, width: int) -> "HashedSet":
        """Read sorted little-endian unsigned integers of `width` bytes; ValueError if the data is not that."""
        hashes = array(_ARRAY_TYPES[width])
        hashes.frombytes(data)
        if sys.byteorder == "big":
            hashes.byteswap()
        if any(earlier >= later for earlier, later in zip(hashes, hashes[1:], strict=False)):
            raise ValueError("not a sorted set of hashes")
        return cls(hashes)

    def to_bytes(self) -> bytes:
        hashes = self.hashes[:]
        if sys.byteorder == "big":
            hashes.byteswap()
        return hashes.tobytes()

    def __contains__(self, value: int) -> bool:
        at = bisect_left(self.hashes, value)
        return at < len(self.hashes) and self.hashes[at] == value

    def __len__(self) -> int:
        return len(self.hashes)


def made_up_words(text: str, known: HashedSet) -> list[str]:
    """List the words of a text that are not known, nor known with a possessive added."""
    return [word for word in words_of(text) if word_hash(word) not in known and word_hash(word.removesuffix("'s")) not in known]


def is_copied(text: str, runs: HashedSet) -> bool:
    """Tell whether eight words in a row stand in the corpus too."""
    return any(run in runs for run in run_hashes(text))
