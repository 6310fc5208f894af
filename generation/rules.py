"""What a machine's words may be: pure rules over text and over sets of hashes.

The hashed sets (`words.bin`, `runs.bin`) let a model's folder say which words are known and what
would be copied, without carrying a single tweet.
"""

import hashlib
import math
import re
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, pairwise
from random import Random

from game.pool.personal import personal_data
from game.pool.rules import MAX_LENGTH, MIN_LENGTH, has_link, has_markup, is_manual_retweet, is_piece, is_surely_other_language, normalise
from game.pool.unsafe import unsafe_words

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
        if any(earlier >= later for earlier, later in pairwise(hashes)):
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


def learned(fingerprints: Iterable[bytes]) -> HashedSet:
    """Return what learned.bin holds: the first 8 bytes of each tweet's fingerprint, in file and fingerprint the same bytes."""
    return HashedSet.of((int.from_bytes(mark[:RUN_BYTES], "little") for mark in fingerprints), RUN_BYTES)


def made_up_words(text: str, known: HashedSet) -> list[str]:
    """List the words of a text that are not known, nor known with a possessive added."""
    return [word for word in words_of(text) if word_hash(word) not in known and word_hash(word.removesuffix("'s")) not in known]


def is_copied(text: str, runs: HashedSet) -> bool:
    """Tell whether eight words in a row stand in the corpus too."""
    return any(run in runs for run in run_hashes(text))


def copied_words(text: str, runs: HashedSet) -> str:
    """Return the first eight words in a row that stand in the corpus too; "" if none do."""
    words = words_of(text)
    return next((" ".join(words[start : start + RUN_WORDS]) for start, run in enumerate(run_hashes(text)) if run in runs), "")


class Drop(StrEnum):
    """Why a sample is not kept."""

    INCOMPLETE = "incomplete"
    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    REPLY = "reply or retweet"
    PIECE = "piece of a thread"
    LINK = "has a link"
    MARKUP = "markup left"
    LANGUAGE = "other language"
    PERSONAL = "personal data"
    UNSAFE = "unsafe word"
    REPETITION = "repeats itself"
    MADE_UP_WORD = "made-up word"
    UNKNOWN_HANDLE = "unknown handle"
    COPIED = "copied from training"
    DUPLICATE = "duplicate"
    NEAR = "near-copy"
    LENGTH = "length not needed"
    UNLIKE = "judged unlike people"


@dataclass(frozen=True)
class LengthProfile:
    """How long a category's human tweets are: the share of each bin of `bin` characters, from 0 up."""

    bin: int
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.bin < 1 or not self.probabilities or min(self.probabilities) < 0 or not 0.99 < sum(self.probabilities) < 1.01:
            raise ValueError("not a length profile: the shares of its bins must add up to 1")


@dataclass(frozen=True)
class Knowledge:
    """What a model's folder says about the tweets that it learned from."""

    words: HashedSet
    runs: HashedSet
    lengths: LengthProfile


# (words in a run, times in a row): one more than people write for emphasis, as in "very, very, very".
_LOOPS = ((1, 5), (2, 3), (3, 3), *((width, 2) for width in range(4, 11)))


def repeats_itself(text: str) -> bool:
    """Say whether `text` is caught in a loop: a run of words again and again with nothing between."""
    words = words_of(text)
    return any(_has_loop(words, width, times) for width, times in _LOOPS)


def _has_loop(words: list[str], width: int, times: int) -> bool:
    same = 0  # words in a row that equal the one `width` before them
    for earlier, word in zip(words, words[width:], strict=False):
        same = same + 1 if word == earlier else 0
        if same >= width * (times - 1):
            return True
    return False


def screen(text: str, *, finished: bool, language: str, knowledge: Knowledge) -> str | Drop:
    """Return a sample's text as the pool keeps it, or the reason why it is dropped.

    What no human tweet of the pool is or holds (a reply, a link, another language, an unsafe word) no machine tweet
    may: it would tell. Reasons are counted in the order of the checks.
    """
    text = normalise(text)
    if not finished:
        return Drop.INCOMPLETE
    if len(text) < MIN_LENGTH:
        return Drop.TOO_SHORT
    if len(text) > MAX_LENGTH:
        return Drop.TOO_LONG
    if text.startswith("@") or is_manual_retweet(text):
        return Drop.REPLY
    if is_piece(text):
        return Drop.PIECE
    if has_link(text):
        return Drop.LINK
    if has_markup(text):
        return Drop.MARKUP
    if is_surely_other_language(text, language):
        return Drop.LANGUAGE
    if personal_data(text):
        return Drop.PERSONAL
    if unsafe_words(text):
        return Drop.UNSAFE
    if repeats_itself(text):
        return Drop.REPETITION
    if unknown := made_up_words(text, knowledge.words):
        return Drop.UNKNOWN_HANDLE if all(word.startswith("@") for word in unknown) else Drop.MADE_UP_WORD
    if is_copied(text, knowledge.runs):
        return Drop.COPIED
    return text


def explain(text: str, drop: Drop, knowledge: Knowledge) -> str:
    """Return what exactly of a sample was the reason, for people to read; "" where the reason says it all."""
    text = normalise(text)
    if drop == Drop.PERSONAL:
        return personal_data(text)
    if drop == Drop.UNSAFE:
        return ", ".join(unsafe_words(text))
    if drop in (Drop.MADE_UP_WORD, Drop.UNKNOWN_HANDLE):
        return ", ".join(made_up_words(text, knowledge.words))
    return copied_words(text, knowledge.runs) if drop == Drop.COPIED else ""


def choose(candidates: Sequence[str], profile: LengthProfile, wanted: int, rng: Random, log_ratios: Sequence[float] = ()) -> list[str]:
    """Choose `wanted` of the candidates so that their lengths follow the profile as closely as the candidates allow.

    Lengths are asked for by systematic sampling, so even five at a time follow the profile in the
    long run. A length that no candidate has is served by the nearest one left.

    Of candidates of one length each is taken with a chance that grows with exp of its log ratio; without them, all alike.
    With ln(p(text | a person) / p(text | the model)) this is sampling-importance-resampling (Rubin 1987), here without
    replacement by Gumbel keys (Kool 2019): the more candidates, the nearer to how people write.
    """
    if wanted >= len(candidates):
        return list(candidates)
    keys = [ratio - math.log(rng.expovariate(1) or 1e-300) for ratio in log_ratios or [0.0] * len(candidates)]
    left: dict[int, list[str]] = {}
    for _, text in sorted(zip(keys, candidates, strict=True)):
        left.setdefault(len(text) // profile.bin, []).append(text)
    chosen, unserved = [], []
    for place in _bins_asked_for(profile, wanted, rng):
        if left.get(place):
            chosen.append(left[place].pop())
        else:
            unserved.append(place)
    for place in unserved:
        nearest = min((length for length in left if left[length]), key=lambda length: abs(length - place))
        chosen.append(left[nearest].pop())
    return chosen


def _bins_asked_for(profile: LengthProfile, wanted: int, rng: Random) -> list[int]:
    """Return one bin for each wanted text, in random order."""
    bounds = list(accumulate(profile.probabilities))
    start = rng.random()
    # Scaled by the last bound: rounded shares don't add up to exactly 1.
    asked = [min(bisect_right(bounds, (start + i) / wanted * bounds[-1]), len(bounds) - 1) for i in range(wanted)]
    rng.shuffle(asked)
    return asked


def model_to_go_back_to(events: Iterable[tuple[str, int]]) -> int | None:
    """Return the model that a rollback makes active, from (action, model) of a category's events, the oldest first.

    Two rollbacks in a row go back two models, not to and fro; a model that was retired by hand is passed over.
    """
    stack: list[int] = []
    active = False
    for action, model in events:
        if action == "promotion":
            stack.append(model)
            active = True
        elif action == "rollback":
            del stack[len(stack) - stack[::-1].index(model) :]
            active = True
        elif action == "retirement":
            active = active and stack[-1] != model
            stack = [other for other in stack if other != model]
    return next((model for model in reversed(stack[:-1] if active else stack) if not active or model != stack[-1]), None)
