"""From samples to chosen texts, with backends that say what they are told."""

import math
from array import array
from collections.abc import Iterable, Sequence
from itertools import cycle, islice, product
from random import Random

from game.pool.rules import fingerprint
from game.pool.services import Near
from generation.backends.base import Sample
from generation.judge import BUCKETS, FIRST_NGRAM, Judge, features
from generation.loading import Writer
from generation.rules import RUN_BYTES, WORD_BYTES, Drop, HashedSet, Knowledge, LengthProfile, word_hash, words_of
from generation.writing import CHUNK, MAX_SAMPLES_PER_TEXT, SPARE, Harvest, write

SETTINGS = {"topk": 0, "topp": 1.0, "temperature": 1.0, "max_tokens": 60}
TEXTS = [
    f"The {bird} by the {place} sings {how} {number}."
    for number, bird, place, how in product(range(1000, 2000), ("owl", "tit", "jay"), ("mill", "pond"), ("softly", "loudly"))
]
KNOWLEDGE = Knowledge(
    HashedSet.of((word_hash(word) for text in TEXTS for word in words_of(text)), WORD_BYTES),
    HashedSet.of((), RUN_BYTES),
    LengthProfile(100, (1.0,)),
)
# Nine in ten texts of this model are calm.
LOUD = [text.replace(".", "!") if number % 10 == 0 else text for number, text in enumerate(TEXTS)]


class Reciter:
    """A backend that says its texts one after the other, and finds the loud ones likelier."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = cycle(texts)
        self.asked = 0

    def generate(self, *, count: int, sampling: object, prompt: str = "") -> list[Sample]:
        return [Sample(text, True) for text in islice(self.texts, count)]

    def likelihoods(self, texts: Sequence[str], *, max_tokens: int) -> list[float]:
        self.asked += len(texts)
        return [-1.0 if "!" in text else -5.0 for text in texts]


def judge_of(bucket: int, value: float, log_ratio: float) -> Judge:
    """Return a judge that adds `log_ratio` for a feature, where it has `value`."""
    weights = array("b", [0] * BUCKETS)
    weights[bucket] = 1
    return Judge(log_ratio / value, weights)


# People write half of theirs loud: nine times the odds.
EVEN = judge_of(*min(features("Hoo!", -3.0).items() - features("Hoo.", -3.0).items()), math.log(9))
# The last feature of the surface is a likelihood of -1 a token.
LIKELY = judge_of(FIRST_NGRAM - 1, 0.3, math.log(9))


def written(judge: Judge | None, *, texts: Iterable[str] = LOUD, wanted: int = 100, **settings: int) -> Harvest:
    harvest = write(
        writer=Writer(Reciter(texts), KNOWLEDGE, judge),
        settings=SETTINGS | settings,
        language="en",
        wanted=wanted,
        rng=Random(1),
        known=lambda marks: set(),
    )
    assert harvest.made == len(harvest.chosen) + harvest.dropped.total()
    return harvest


def loud(harvest: Harvest) -> int:
    return sum("!" in text for text in harvest.chosen)


def test_a_judge_brings_what_the_model_writes_too_rarely_to_peoples_share() -> None:
    assert 4 <= loud(written(None, candidates=20)) <= 16
    assert 40 <= loud(written(EVEN, candidates=20)) <= 60


def test_a_judge_hears_how_likely_a_text_is() -> None:
    assert 40 <= loud(written(LIKELY, candidates=20)) <= 60


def test_fewer_candidates_let_a_judge_do_less() -> None:
    shares = [loud(written(EVEN, candidates=candidates)) for candidates in (1, 3, 20)]
    assert shares == sorted(shares)
    assert shares[0] + 15 < shares[2]


def test_a_sharper_judge_leaves_less_to_chance() -> None:
    # With eleven times as many candidates as are wanted, loud ones would do for all of them.
    shares = [loud(written(EVEN, candidates=11, sharpness=sharpness)) for sharpness in (0, 1, 2, 9)]
    assert shares == sorted(shares)
    assert 4 <= shares[0] <= 16
    assert shares[3] == 100


def test_what_was_not_chosen_is_counted_with_its_reason() -> None:
    for judge, reason in ((None, Drop.LENGTH), (EVEN, Drop.UNLIKE)):
        harvest = written(judge, candidates=3)
        assert len(harvest.chosen) == 100
        assert harvest.dropped == {reason: harvest.made - 100}


def test_a_card_from_before_judges_has_two_candidates_a_text() -> None:
    assert len(written(None).passed) == len(written(None, candidates=2).passed) < len(written(None, candidates=3).passed)


class Teller(Reciter):
    """Tells how likely a text is as it says it, of every other one."""

    def generate(self, *, count: int, sampling: object, prompt: str = "") -> list[Sample]:
        return [
            Sample(sample.text, True, -1.0 if "!" in sample.text else -5.0) if number % 2 else sample
            for number, sample in enumerate(super().generate(count=count, sampling=sampling))
        ]


def test_a_likelihood_that_writing_told_is_not_asked_for() -> None:
    teller = Teller(LOUD)
    harvest = write(
        writer=Writer(teller, KNOWLEDGE, LIKELY), settings=SETTINGS, language="en", wanted=100, rng=Random(1), known=lambda _: set()
    )
    reciter = Reciter(LOUD)
    asked = write(
        writer=Writer(reciter, KNOWLEDGE, LIKELY), settings=SETTINGS, language="en", wanted=100, rng=Random(1), known=lambda _: set()
    )
    assert (harvest.chosen, harvest.log_ratios) == (asked.chosen, asked.log_ratios)
    assert (teller.asked, reciter.asked) == (harvest.made // 2, asked.made)


def test_without_a_judge_no_likelihood_is_asked_for() -> None:
    for judge in (None, EVEN):
        reciter = Reciter(LOUD)
        harvest = write(
            writer=Writer(reciter, KNOWLEDGE, judge),
            settings=SETTINGS,
            language="en",
            wanted=10,
            rng=Random(1),
            known=lambda marks: set(),
        )
        assert reciter.asked == (harvest.made if judge else 0)


def test_a_model_that_repeats_itself_is_given_up() -> None:
    harvest = written(EVEN, texts=TEXTS[:7], candidates=3)
    assert sorted(harvest.chosen) == sorted(TEXTS[:7])
    assert (100 * 3 + SPARE) * MAX_SAMPLES_PER_TEXT <= harvest.made < (100 * 3 + SPARE) * MAX_SAMPLES_PER_TEXT + CHUNK


def test_what_the_pool_has_is_not_written_again() -> None:
    in_pool = {fingerprint(text) for text in TEXTS[::2]}
    harvest = write(
        writer=Writer(Reciter(TEXTS[:60]), KNOWLEDGE),
        settings=SETTINGS,
        language="en",
        wanted=30,
        rng=Random(1),
        known=lambda marks: in_pool.intersection(marks),
    )
    assert sorted(harvest.chosen) == sorted(TEXTS[1:60:2])


def test_a_near_copy_makes_room_for_the_next_best() -> None:
    asked: list[int] = []

    def near(texts: Sequence[str]) -> list[Near | None]:
        asked.append(len(texts))
        return [Near(1, "", 1.0) if "owl" in text else None for text in texts]

    # Else all of them would be near-copies of each other.
    apart = [f"{text} {' '.join(str(letter) * 9 for letter in str(number**3))}" for number, text in enumerate(TEXTS)]
    harvest = write(
        writer=Writer(Reciter(apart), KNOWLEDGE, None),
        settings=SETTINGS,
        language="en",
        wanted=20,
        rng=Random(1),
        known=lambda marks: set(),
        near=near,
    )
    assert len(harvest.chosen) == 20 == len(set(harvest.chosen))
    assert not any("owl" in text for text in harvest.chosen)
    # Asked about as many as were wanted, then about those in the place of what was dropped.
    assert asked[0] == 20
    assert sum(asked) == 20 + harvest.dropped[Drop.NEAR] < len(harvest.passed)
    assert harvest.made == 20 + harvest.dropped.total()
