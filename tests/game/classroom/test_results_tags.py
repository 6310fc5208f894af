"""Figures of a class as they are printed and drawn."""

from datetime import timedelta

import pytest

from game.classroom.measures import Counts, Detection, detection
from game.classroom.templatetags.results import d_prime_axis, decimal, seconds

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(1.25, 2, "1.25"), (1.04, 1, "1.0"), (-0.36, 1, f"{MINUS}0.4"), (-0.04, 1, "0.0"), (0.0, 2, "0.00"), (-12.5, 1, f"{MINUS}12.5")],
)
def test_numbers_are_rounded_and_nought_has_no_sign(value: float, digits: int, text: str) -> None:
    assert decimal(value, digits) == text


def test_a_time_that_was_not_measured_is_a_dash() -> None:
    assert [seconds(None), seconds(timedelta(seconds=4.25)), seconds(timedelta(minutes=2))] == [DASH, "4.2 s", "120.0 s"]


def found(low: float, d_prime: float, high: float) -> Detection:
    return Detection(d_prime, low, high, 0.0, 0.0, 0.0)


def test_the_line_of_a_d_prime_reaches_as_far_as_its_interval() -> None:
    usual = d_prime_axis(found(-1.0, 1.5, 4.0))
    assert (usual.low, usual.at, usual.high, usual.coin, list(usual.marks)) == (0.0, 0.5, 1.0, 0.2, [-1, 0, 1, 2, 3, 4])
    below = d_prime_axis(found(-3.5, -2.0, 0.5))
    assert (below.low, below.at, below.high, below.coin, list(below.marks)) == (0.0625, 0.25, 0.5625, 0.5, list(range(-4, 5)))
    far = d_prime_axis(found(-4.5, 0.0, 4.5))
    assert (far.low, far.at, far.high, far.coin, list(far.marks)) == (0.125, 0.5, 0.875, 0.5, [-6, -4, -2, 0, 2, 4, 6])


@pytest.mark.parametrize("right", [0, 3, 6])
def test_nothing_of_a_d_prime_is_drawn_beyond_its_line(right: int) -> None:
    measured = detection(Counts(right, 6 - right, 6 - right, right))
    assert measured
    axis = d_prime_axis(measured)
    assert 0 <= axis.low < axis.at < axis.high <= 1
    assert axis.marks[round(axis.coin * (len(axis.marks) - 1))] == 0
