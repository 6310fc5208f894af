"""How like people's a text is, as a judge in a model's folder sees it: a logistic regression over what the text is made of.

Pure, and the same for the judge's training and for its work: training writes `features` down for texts by people and by
the model, and `judge.bin` holds the weights that tell them apart.
"""

import json
import math
import re
import zlib
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

# A feature is one of the surface (they come first), or an n-gram by its hash.
BUCKETS = 1 << 18
FORMAT = 1
MAX_WEIGHT = 127

# An n-gram of a text of 140 characters counts for about 0.05 (all of them have the length 1, as a vector);
# surface features count for more, so that the same penalty holds them less.
_SURFACE = 0.3
_LETTERS = (2, 3, 4)
_WORD = re.compile(r"[#@]?\w+(?:'\w+)*|[^\w\s]")
_HASHTAG = re.compile(r"#\w")
_MENTION = re.compile(r"@\w")
_EMOJI = re.compile("[\u2600-\u27bf\U0001f000-\U0001faff]")


def count_hashtags(text: str) -> int:
    return len(_HASHTAG.findall(text))


def count_mentions(text: str) -> int:
    return len(_MENTION.findall(text))


def count_exclamation_marks(text: str) -> int:
    return text.count("!")


def count_emoji(text: str) -> int:
    return len(_EMOJI.findall(text))


# What people see at a glance. A count is one feature each for "at least 1", 2, 3 and 4.
_COUNTS: tuple[Callable[[str], int], ...] = (
    count_hashtags,
    count_mentions,
    count_exclamation_marks,
    count_emoji,
    *(lambda text, mark=mark: text.count(mark) for mark in '?",.:'),
)
_MOST = 4
# A measure is split over the two knots that it lies between, so that its effect may bend.
_LENGTHS = tuple(map(float, range(20, 301, 10)))
_CAPITALS = (0.0, 0.03, 0.06, 0.1, 0.2, 0.5)
_DIGITS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
_LIKELIHOODS = tuple(-7.0 + 0.5 * step for step in range(13))


def features(text: str, likelihood: float) -> dict[int, float]:
    """Return what the judge sees of a text, by bucket; `likelihood` is the mean log-probability of its tokens, in nats."""
    grams = Counter(_ngrams(text))
    weights = {bucket: 1 + math.log(count) for bucket, count in grams.items()}
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return {bucket: weight / length for bucket, weight in weights.items()} | dict(_surface(text, likelihood))


def _surface(text: str, likelihood: float) -> Iterator[tuple[int, float]]:
    at = 0
    for count in _COUNTS:
        yield from ((at + each, _SURFACE) for each in range(min(count(text), _MOST)))
        at += _MOST
    capitals = sum(map(str.isupper, text)) / max(len(text), 1)
    digits = sum(map(str.isdigit, text))
    for value, knots in ((len(text), _LENGTHS), (capitals, _CAPITALS), (digits, _DIGITS), (likelihood, _LIKELIHOODS)):
        value = min(max(value, knots[0]), knots[-1])
        left = min(bisect_right(knots, value), len(knots) - 1) - 1
        share = (value - knots[left]) / (knots[left + 1] - knots[left])
        yield at + left, _SURFACE * (1 - share)
        yield at + left + 1, _SURFACE * share
        at += len(knots)


_FIRST_NGRAM = len(_COUNTS) * _MOST + len(_LENGTHS) + len(_CAPITALS) + len(_DIGITS) + len(_LIKELIHOODS)


def _ngrams(text: str) -> Iterator[int]:
    """Give the bucket of each run of 2 to 4 letters within a word and its bounds, of each word or mark, and of each two in a row."""
    for token in text.split():
        yield from _letter_ngrams(token)
    words = ["", *_WORD.findall(text.casefold()), ""]
    yield from (_bucket(f"w {word}") for word in words[1:-1])
    yield from (_bucket(f"b {first} {second}") for first, second in pairwise(words))


@lru_cache(maxsize=20_000)
def _letter_ngrams(token: str) -> tuple[int, ...]:
    padded = f" {token} "
    return tuple(_bucket(padded[at : at + n]) for n in _LETTERS for at in range(len(padded) - n + 1))


def _bucket(ngram: str) -> int:
    return _FIRST_NGRAM + zlib.crc32(ngram.encode()) % (BUCKETS - _FIRST_NGRAM)


@dataclass(frozen=True)
class Judge:
    """A weight for each feature: steps of `scale`, from -MAX_WEIGHT to MAX_WEIGHT."""

    scale: float
    weights: "array[int]"

    @classmethod
    def from_bytes(cls, data: bytes) -> "Judge":
        """Read a line of JSON and one signed byte for each bucket; ValueError, KeyError or TypeError if the data is not that."""
        head, _, body = data.partition(b"\n")
        facts = json.loads(head)
        if facts["format"] != FORMAT or len(body) != BUCKETS:
            raise ValueError(f"not a judge of format {FORMAT} with {BUCKETS} weights")
        scale = float(facts["scale"])
        if not (math.isfinite(scale) and scale >= 0):
            raise ValueError(f"a judge's weights can't be in steps of {scale}")
        return cls(scale, array("b", body))

    def log_ratio(self, text: str, likelihood: float) -> float:
        """Estimate ln(p(text | a person) / p(text | the model)), but for a constant that is the same for all texts."""
        return self.scale * sum(self.weights[bucket] * value for bucket, value in features(text, likelihood).items())

    def log_ratios(self, texts: Sequence[str], likelihoods: Sequence[float]) -> list[float]:
        return [self.log_ratio(*each) for each in zip(texts, likelihoods, strict=True)]
