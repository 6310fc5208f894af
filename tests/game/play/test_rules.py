import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.play import rules


def test_each_draw_is_a_coin_of_its_own() -> None:
    draws = rules.plan_draws(count=20_000, rng=random.Random(1))
    humans = [draw.kind == "human" for draw in draws]
    assert abs(sum(humans) / 20_000 - 0.5) < 0.02
    # Nothing learnt from the card before: it is followed by its like half of the time.
    assert abs(sum(a == b for a, b in pairwise(humans)) / 19_999 - 0.5) < 0.02


def test_the_kind_of_a_draw_does_not_depend_on_its_key() -> None:
    draws = rules.plan_draws(count=20_000, rng=random.Random(2))
    keys = {kind: [draw.key for draw in draws if draw.kind == kind] for kind in ("human", "machine")}
    means = [sum(values) / len(values) for values in keys.values()]
    assert abs(means[0] - means[1]) < 0.02


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {rules.new_token() for _ in range(1_000)}
    assert len(tokens) == 1_000
    assert {len(token) for token in tokens} == {22}


# From the formula, by hand, to six places: 8 of 10 at 95 %.
def test_wilson_interval_of_a_known_case() -> None:
    assert rules.wilson_interval(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)


def test_wilson_interval_without_guesses_is_everything() -> None:
    assert rules.wilson_interval(0, 0) == (0.0, 1.0)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_holds_the_rate(case: tuple[int, int]) -> None:
    right, guesses = case
    low, high = rules.wilson_interval(right, guesses)
    assert 0 <= low <= right / guesses + 1e-12
    assert right / guesses - 1e-12 <= high <= 1


def test_many_good_guesses_rank_above_one_lucky_one() -> None:
    assert rules.wilson_interval(80, 100)[0] > rules.wilson_interval(1, 1)[0]


@pytest.mark.parametrize(
    ("right", "fooled_by", "sentence"),
    [
        (10, [], "Nothing got past you."),
        (2, ["human"] * 8, "The bots send their thanks."),
        (5, ["machine"] * 5, "A coin would have done as well."),
        (7, ["machine"] * 3, "You think well of machines."),
        (7, ["human"] * 3, "You see bots where there are people."),
        (8, ["human", "machine"], "You can mostly tell."),
        (4, ["human"] * 3 + ["machine"] * 3, "Hard to tell, isn't it?"),
    ],
)
def test_headline_says_how_the_round_went(right: int, fooled_by: list[str], sentence: str) -> None:
    assert rules.headline(rules.Score(right=right, guessed=10), fooled_by) == sentence
