"""Near-copies: texts that differ in a word or two, a number, an end that is missing, or the order of their sentences.

Marks find the few texts of a big pool that may be near; `similarity` says of two whether they are. By MinHash (Broder 1997) over
runs of letters, in bands. What else was measured: docs/adr/0010-near-copies.md.
"""

import re
from functools import cache
from hashlib import shake_128
from typing import Any
from zlib import crc32

# Of the runs of letters that either of two texts has, the share that both must have.
NEAR = 0.5
RUN_LETTERS = 4
# Texts as alike as NEAR share a band with probability 1 - (1 - NEAR**ROWS)**BANDS = 0.72, at 0.6 0.94, at 0.7 0.996; at 0.1 0.002.
BANDS, ROWS = 20, 4
_NOT_WORD = re.compile(r"[\W_]+")


def letter_runs(text: str) -> frozenset[bytes]:
    """Return all runs of letters of `text`; case, punctuation and white space do not count."""
    letters = _letters(text)
    return frozenset(letters[start : start + RUN_LETTERS] for start in range(len(letters) - RUN_LETTERS + 1))


def _letters(text: str) -> bytes:
    return f" {_NOT_WORD.sub(' ', text.casefold()).strip()} ".encode().ljust(RUN_LETTERS)


def similarity(one: str, other: str) -> float:
    """Return how alike two texts are: 1 if they have all runs of letters in common, 0 if none."""
    return jaccard(letter_runs(one), letter_runs(other))


def jaccard(ours: frozenset[bytes], theirs: frozenset[bytes]) -> float:
    """Return the share of what is in either that is in both."""
    both = len(ours & theirs)
    return both / (len(ours) + len(theirs) - both)


def near_marks(text: str) -> list[int]:
    """Return BANDS signed 32-bit integers, of which near-copies have one in common, and other texts hardly ever."""
    import numpy

    factors, terms = _permutations()
    letters = numpy.frombuffer(_letters(text), numpy.uint8).astype(numpy.uint32)
    # A run of four bytes is a number; mixed, so that alike runs get numbers that are not (the finaliser of MurmurHash3).
    runs = (letters[:-3] << 24) | (letters[1:-2] << 16) | (letters[2:-1] << 8) | letters[3:]
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        runs = (runs ^ (runs >> shift)) * numpy.uint32(factor)
    runs ^= runs >> 16
    # The upper half of 64 bits: min-hashes of 32 let six times as many others through.
    least = (runs.astype(numpy.uint64)[:, None] * factors + terms >> numpy.uint64(32)).min(axis=0).reshape(BANDS, ROWS)
    return [_signed(crc32(row.astype("<u8").tobytes(), band)) for band, row in enumerate(least)]


def _signed(number: int) -> int:
    return number - 2**32 if number >= 2**31 else number


@cache
def _permutations() -> Any:
    import numpy

    # From a hash, which is the same for ever: numpy's random numbers change with its versions, and marks are stored.
    bits = shake_128(b"near-copies").digest(2 * BANDS * ROWS * 8)
    factors, terms = numpy.frombuffer(bits, "<u8").astype(numpy.uint64).reshape(2, BANDS * ROWS)
    return factors | numpy.uint64(1), terms


class Shelf:
    """Texts in memory, none of which is a near-copy of another."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._places: dict[int, list[int]] = {}

    def put(self, text: str) -> str:
        """Add `text`, unless it is a near-copy of one that is here: then return that one. "" if it was added."""
        marks = near_marks(text)
        for place in {place for mark in marks for place in self._places.get(mark, ())}:
            if similarity(text, self._texts[place]) >= NEAR:
                return self._texts[place]
        for mark in marks:
            self._places.setdefault(mark, []).append(len(self._texts))
        self._texts.append(text)
        return ""
