"""What machine text must pass, which of it is chosen, and what is asked for."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.rules import (
    RUN_BYTES,
    WORD_BYTES,
    Drop,
    HashedSet,
    Knowledge,
    LengthProfile,
    choose,
    model_to_go_back_to,
    repeats_itself,
    run_hashes,
    screen,
    word_hash,
    words_of,
)

CORPUS = [
    "The heron waits by the old mill and counts the fish that it will not eat today.",
    "Ask @miller_jo about the mill! We open at nine, and the bread is warm. #openmill",
    "very good bread and a very long way to walk for it, I say, so bring the dog along",
]
KNOWLEDGE = Knowledge(
    words=HashedSet.of((word_hash(word) for text in CORPUS for word in words_of(text)), WORD_BYTES),
    runs=HashedSet.of((run for text in CORPUS for run in run_hashes(text)), RUN_BYTES),
    lengths=LengthProfile(20, (0.0, 0.5, 0.5)),
)


def screened(text: str, *, finished: bool = True, language: str = "en") -> str | Drop:
    return screen(text, finished=finished, language=language, knowledge=KNOWLEDGE)


def test_a_good_sample_is_kept_as_the_pool_writes_it() -> None:
    assert screened(" The fish &amp; the  heron: “we will not eat bread today” ") == 'The fish & the heron: "we will not eat bread today"'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("The bread is warm today.", Drop.TOO_SHORT),
        ("The bread is warm. We walk. " * 15, Drop.TOO_LONG),
        ("@miller_jo the bread is warm and the dog is old", Drop.REPLY),
        ("RT @miller_jo: the bread is warm and the dog is old", Drop.REPLY),
        ("The bread is warm, ask about it at https://t.co/abc", Drop.LINK),
        ("The bread is warm, <b>very warm</b>, and we open at nine", Drop.MARKUP),
        ("Das Brot ist heute warm und der Hund will nicht mehr nach Hause gehen", Drop.LANGUAGE),
        ("We walk the dog and we walk the dog and we walk the dog and bread", Drop.REPETITION),
        ("The heron counts the gribblefish by the old mill", Drop.MADE_UP_WORD),
        ("The heron counts the fish by the old mill #heronmill", Drop.MADE_UP_WORD),
        ("The heron counts the gribblefish for @heron_jo", Drop.MADE_UP_WORD),
        ("The heron counts the fish for @heron_jo by the mill", Drop.UNKNOWN_HANDLE),
        ("I say: the old mill and counts the fish that it will open", Drop.COPIED),
    ],
)
def test_what_would_tell_is_dropped_with_its_reason(text: str, reason: Drop) -> None:
    assert screened(text) == reason


def test_a_sample_that_the_model_did_not_end_is_incomplete() -> None:
    text = "The fish will not eat the bread today"
    assert screened(text) == text
    assert screened(text, finished=False) == Drop.INCOMPLETE


def test_language_is_that_of_the_category() -> None:
    text = "We walk the dog and the fish will not eat the bread that is by the mill"
    assert screened(text) == text
    assert screened(text, language="de") == Drop.LANGUAGE


def test_seven_words_of_the_corpus_in_a_row_are_no_copy() -> None:
    text = "mill and counts the fish that it is not for the dog"
    assert screened(text) == text


@pytest.mark.parametrize(
    ("text", "looped"),
    [
        ("It is very, very, very, very good bread.", False),
        ("It is very, very, very, very, very good bread.", True),
        ("Bread now! Bread now! We walk.", False),
        ("Bread now! Bread now! BREAD NOW!", True),
        ("Bake the bread! Bake the bread! And the dog.", False),
        ("Walk the old dog! Walk the old dog!", True),
        ("We bake and we walk and we bake.", False),
    ],
)
def test_emphasis_is_no_loop(text: str, looped: bool) -> None:
    assert repeats_itself(text) is looped


def text_of(length: int, mark: str) -> str:
    return mark + "x" * (length - 1)


def test_chosen_texts_follow_the_lengths_of_people() -> None:
    profile = LengthProfile(20, (0.0, 0.25, 0.75))
    candidates = [text_of(30, chr(i)) for i in range(200, 400)] + [text_of(50, chr(i)) for i in range(400, 600)]
    for seed in range(20):
        chosen = choose(candidates, profile, 100, Random(seed))
        assert Counter(map(len, chosen)) == {30: 25, 50: 75}
        assert len(set(chosen)) == 100


def test_five_at_a_time_follow_them_in_the_long_run() -> None:
    profile = LengthProfile(20, (0.9, 0.07, 0.03))
    candidates = [text_of(length, chr(i)) for length in (10, 30, 50) for i in range(200, 220)]
    counts: Counter[int] = Counter()
    for seed in range(2_000):
        counts.update(map(len, choose(candidates, profile, 5, Random(seed))))
    assert sum(counts.values()) == 10_000
    assert (counts[10], counts[30], counts[50]) == (pytest.approx(9_000, abs=60), pytest.approx(700, abs=60), pytest.approx(300, abs=60))


def test_a_length_that_no_candidate_has_is_served_by_the_nearest() -> None:
    candidates = [text_of(length, mark) for length in (10, 70) for mark in "abc"]
    chosen = choose(candidates, LengthProfile(20, (0.0, 0.0, 1.0, 0.0)), 4, Random(1))
    assert Counter(map(len, chosen)) == {70: 3, 10: 1}


@given(
    lengths=st.lists(st.integers(25, 400), max_size=60),
    shares=st.lists(st.integers(0, 100), min_size=1, max_size=20).filter(any),
    wanted=st.integers(1, 80),
    seed=st.integers(),
)
def test_as_many_are_chosen_as_there_can_be_and_none_twice(lengths: list[int], shares: list[int], wanted: int, seed: int) -> None:
    candidates = [text_of(length, chr(0x4E00 + i)) for i, length in enumerate(lengths)]
    profile = LengthProfile(20, tuple(share / sum(shares) for share in shares))
    chosen = choose(candidates, profile, wanted, Random(seed))
    assert len(chosen) == len(set(chosen)) == min(wanted, len(candidates))
    assert set(chosen) <= set(candidates)


@pytest.mark.parametrize(("size", "shares"), [(0, (1.0,)), (20, ()), (20, (0.5, 0.3)), (20, (1.5, -0.5))])
def test_what_is_no_length_profile_is_refused(size: int, shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="not a length profile"):
        LengthProfile(size, shares)


@pytest.mark.parametrize(
    ("events", "before"),
    [
        ("", None),
        ("promotion 1", None),
        ("promotion 1, replacement 1, promotion 2", 1),
        ("promotion 1, promotion 2, promotion 3, rollback 2", 1),
        ("promotion 1, promotion 2, rollback 1", None),
        ("promotion 1, promotion 2, rollback 1, promotion 3", 1),
        ("promotion 1, promotion 2, promotion 1", 2),
        ("promotion 1, promotion 2, retirement 2", 1),
        ("promotion 1, promotion 2, retirement 1", None),
        ("promotion 1, retirement 1", None),
        ("promotion 1, promotion 2, retirement 2, promotion 2", 1),
    ],
)
def test_a_rollback_undoes_the_last_promotion_that_still_stands(events: str, before: int | None) -> None:
    pairs = [event.rsplit(" ", 1) for event in events.split(", ") if event]
    assert model_to_go_back_to([(action, int(model)) for action, model in pairs]) == before
