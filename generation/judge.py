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
from collections.abc import Iterable, Iterator, Sequence
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


def _count_again(words: Iterable[str]) -> int:
    """Count the words that stood there before."""
    words = list(words)
    return len(words) - len(set(words))


def _is_cut_off(text: str) -> bool:
    """Say whether a quotation or a bracket is opened or closed only."""
    return text.count('"') % 2 == 1 or text.count("(") != text.count(")")


def _counts(text: str, words: Sequence[str]) -> tuple[int, ...]:
    """Count what people see at a glance."""
    return (
        count_hashtags(text),
        count_mentions(text),
        count_exclamation_marks(text),
        count_emoji(text),
        *(text.count(mark) for mark in '?",.:/'),
        _count_again(word for word in words if word[0] in "#@"),
        _count_again(word for word in words if len(word) > 3),
        sum(first == second for first, second in pairwise(words)),
        _is_cut_off(text),
        text[:1].islower(),
        text[-1:].isalnum(),
    )


def _measures(text: str, likelihood: float) -> tuple[float, ...]:
    """Measure what people feel: how long it is, how loud, how difficult, how odd."""
    words = text.split()
    return (
        len(text),
        sum(map(str.isupper, text)) / max(len(text), 1),
        sum(map(str.isdigit, text)),
        sum(map(len, words)) / max(len(words), 1),
        sum(word[0].isupper() for word in words),
        likelihood,
    )


# A count is one feature each for "at least 1", 2, 3 and 4.
_MOST = 4
# A measure is split over the two knots that it lies between, so that its effect may bend.
_KNOTS = (
    tuple(map(float, range(20, 301, 10))),
    (0.0, 0.03, 0.06, 0.1, 0.2, 0.5),
    (0.0, 1.0, 2.0, 4.0, 8.0, 16.0),
    tuple(3 + 0.5 * step for step in range(11)),
    (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0),
    tuple(-7 + 0.5 * step for step in range(13)),
)
FIRST_NGRAM = len(_counts("", ())) * _MOST + sum(map(len, _KNOTS))


def features(text: str, likelihood: float) -> dict[int, float]:
    """Return what the judge sees of a text, by bucket; `likelihood` is the mean log-probability of its tokens, in nats."""
    words = _WORD.findall(text.casefold())
    grams = Counter(_ngrams(text, words))
    weights = {bucket: 1 + math.log(count) for bucket, count in grams.items()}
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return {bucket: weight / length for bucket, weight in weights.items()} | dict(_surface(text, words, likelihood))


def _surface(text: str, words: Sequence[str], likelihood: float) -> Iterator[tuple[int, float]]:
    at = 0
    for count in _counts(text, words):
        yield from ((at + each, _SURFACE) for each in range(min(count, _MOST)))
        at += _MOST
    for value, knots in zip(_measures(text, likelihood), _KNOTS, strict=True):
        value = min(max(value, knots[0]), knots[-1])
        left = min(bisect_right(knots, value), len(knots) - 1) - 1
        share = (value - knots[left]) / (knots[left + 1] - knots[left])
        yield at + left, _SURFACE * (1 - share)
        yield at + left + 1, _SURFACE * share
        at += len(knots)


def _ngrams(text: str, words: Sequence[str]) -> Iterator[int]:
    """Give the bucket of each run of 2 to 4 letters within a word and its bounds, of each word or mark, and of each two in a row."""
    for token in text.split():
        yield from _letter_ngrams(token)
    yield from (_bucket(f"w {word}") for word in words)
    yield from (_bucket(f"b {first} {second}") for first, second in pairwise(["", *words, ""]))


@lru_cache(maxsize=20_000)
def _letter_ngrams(token: str) -> tuple[int, ...]:
    padded = f" {token} "
    return tuple(_bucket(padded[at : at + n]) for n in _LETTERS for at in range(len(padded) - n + 1))


def _bucket(ngram: str) -> int:
    return FIRST_NGRAM + zlib.crc32(ngram.encode()) % (BUCKETS - FIRST_NGRAM)


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
