"""Figures of a class against values worked out elsewhere, and against how often they hold."""

import random
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from game.classroom.measures import Counts, detection, headline, say_lean, share

FEW = st.integers(0, 60)
COUNTS = st.builds(Counts, FEW, FEW, FEW, FEW).filter(lambda counts: counts.machine and counts.human)


def test_a_share_has_the_interval_that_wilson_gives() -> None:
    found = share(10, 20)
    assert found
    # Newcombe (1998), "Two-sided confidence intervals for the single proportion", method 3: 81 of 263 is his own example.
    assert (found.part, found.whole, found.rate) == (10, 20, 0.5)
    assert (found.low, found.high) == (pytest.approx(0.2993, abs=5e-5), pytest.approx(0.7007, abs=5e-5))
    published = share(81, 263)
    assert published
    assert (published.low, published.high) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))


def test_of_nothing_there_is_no_share() -> None:
    assert share(0, 0) is None


@pytest.mark.parametrize("counts", [Counts(), Counts(3, 1, 0, 0), Counts(0, 0, 2, 5)])
def test_without_both_kinds_there_is_no_d_prime(counts: Counts) -> None:
    assert detection(counts) is None


@pytest.mark.parametrize(
    ("counts", "d_prime", "criterion", "error"),
    [
        # Rates of .7 and .3: 2 · .5244; the density there is .34769, so that both parts of the variance are .21 / (4 · .12089).
        (Counts(3, 1, 1, 3), 1.0488, 0.0, 0.9320),
        # All right, of four each: rates of .9 and .1, twice 1.2816; the density is .17550.
        (Counts(4, 0, 0, 4), 2.5631, 0.0, 1.2087),
        # Rates of .9 and .3: who says machine readily has a criterion below 0.
        (Counts(4, 0, 1, 3), 1.8060, -0.3786, 1.0792),
        # Rates of .5 and .5.
        (Counts(10, 10, 10, 10), 0.0, 0.0, 0.3963),
    ],
)
def test_d_prime_is_what_tables_of_the_normal_distribution_give(counts: Counts, d_prime: float, criterion: float, error: float) -> None:
    found = detection(counts)
    assert found
    assert found.d_prime == pytest.approx(d_prime, abs=1e-4)
    assert found.criterion == pytest.approx(criterion, abs=1e-4)
    assert (found.high - found.low) / 2 == pytest.approx(1.95996 * error, abs=3e-4)
    assert (found.criterion_high - found.criterion_low) / 2 == pytest.approx(1.95996 * error / 2, abs=3e-4)


@given(COUNTS)
def test_d_prime_is_what_another_library_makes_of_it(counts: Counts) -> None:
    found = detection(counts)
    assert found
    said, of = np.array([counts.machine_as_machine, counts.human_as_machine]), np.array([counts.machine, counts.human])
    rates = (said + 0.5) / (of + 1)
    z = stats.norm.ppf(rates)
    error = np.sqrt(np.sum(rates * (1 - rates) / (of * stats.norm.pdf(z) ** 2)))
    low, high = stats.norm.interval(0.95, loc=z[0] - z[1], scale=error)
    assert (found.d_prime, found.low, found.high) == pytest.approx((z[0] - z[1], low, high), rel=1e-9, abs=1e-9)
    low, high = stats.norm.interval(0.95, loc=-z.mean(), scale=error / 2)
    assert (found.criterion, found.criterion_low, found.criterion_high) == pytest.approx((-z.mean(), low, high), rel=1e-9, abs=1e-9)


@given(COUNTS)
def test_one_more_hit_raises_d_prime_and_one_more_false_alarm_lowers_it(counts: Counts) -> None:
    found = detection(counts)
    assert found
    if counts.machine_as_human:
        better = detection(counts + Counts(1, -1, 0, 0))
        assert better
        assert better.d_prime > found.d_prime
        assert better.criterion < found.criterion
    if counts.human_as_human:
        worse = detection(counts + Counts(0, 0, 1, -1))
        assert worse
        assert worse.d_prime < found.d_prime
        assert worse.criterion < found.criterion


@given(COUNTS)
def test_who_says_the_opposite_of_everything_is_as_far_below_nought(counts: Counts) -> None:
    found = detection(counts)
    opposite = detection(Counts(counts.machine_as_human, counts.machine_as_machine, counts.human_as_human, counts.human_as_machine))
    assert found
    assert opposite
    mirrored = (opposite.d_prime, opposite.low, opposite.high, opposite.criterion)
    assert mirrored == pytest.approx((-found.d_prime, -found.high, -found.low, -found.criterion), abs=1e-9)


@given(COUNTS)
def test_four_times_as_many_answers_of_the_same_kind_narrow_the_interval(counts: Counts) -> None:
    few, many = detection(counts), detection(counts + counts + counts + counts)
    assert few
    assert many
    # At rates of nearly 0 and 1 more answers also take away from the correction: there d' itself moves out.
    if all(
        0.05 <= part / of <= 0.95 for part, of in ((counts.machine_as_machine, counts.machine), (counts.human_as_machine, counts.human))
    ):
        assert many.high - many.low < few.high - few.low


@given(COUNTS, COUNTS)
def test_counts_add_up(one: Counts, other: Counts) -> None:
    both = one + other
    assert both.answered == both.said_human + both.said_machine == one.answered + other.answered
    assert both.right == one.right + other.right
    assert (both.human, both.machine) == (one.human + other.human, one.machine + other.machine)


@pytest.mark.parametrize("cards", [5, 12, 25, 100])
@pytest.mark.parametrize("truth", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("lean", [0.0, 0.5])
def test_the_interval_holds_the_truth_about_ninety_five_times_in_a_hundred(cards: int, truth: float, lean: float) -> None:
    normal, rng, times = NormalDist(), random.Random(1967), 1_500
    hit_rate, alarm_rate = 1 - normal.cdf(lean - truth / 2), 1 - normal.cdf(lean + truth / 2)
    held = held_lean = 0
    for _ in range(times):
        hits, alarms = (sum(rng.random() < rate for _ in range(cards)) for rate in (hit_rate, alarm_rate))
        found = detection(Counts(hits, cards - hits, alarms, cards - alarms))
        assert found
        held += found.low <= truth <= found.high
        held_lean += found.criterion_low <= lean <= found.criterion_high
    # With few cards it errs towards too wide.
    assert 0.935 <= held / times <= 0.999
    assert 0.93 <= held_lean / times <= 1


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (Counts(), "Nobody has answered yet."),
        (Counts(3, 1, 0, 0), "Only bots wrote so far."),
        (Counts(0, 0, 1, 3), "Only people wrote so far."),
        (Counts(5, 5, 5, 5), "A coin would have done about as well."),
        (Counts(3, 1, 1, 3), "A coin would have done about as well."),
        (Counts(70, 30, 30, 70), "This class can tell."),
        (Counts(95, 5, 5, 95), "Hardly a bot gets past this class."),
        (Counts(30, 70, 70, 30), "The bots have this class fooled."),
    ],
)
def test_the_headline_claims_what_the_interval_bears(counts: Counts, words: str) -> None:
    assert headline(counts) == words


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (Counts(40, 60, 10, 90), "In doubt, it says Human."),
        (Counts(90, 10, 60, 40), "In doubt, it says Bot."),
        (Counts(70, 30, 30, 70), "It leans to neither side."),
        (Counts(1, 3, 0, 4), "It leans to neither side."),
    ],
)
def test_a_lean_is_claimed_where_its_interval_bears_it(counts: Counts, words: str) -> None:
    found = detection(counts)
    assert found
    assert say_lean(found) == words
