"""Figures of a class as they are printed and drawn."""

from datetime import timedelta

import pytest

from game.classroom.templatetags.results import d_prime_place, decimal, seconds

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(1.25, 2, "1.25"), (1.04, 1, "1.0"), (-0.36, 1, f"{MINUS}0.4"), (-0.04, 1, "0.0"), (0.0, 2, "0.00"), (-12.5, 1, f"{MINUS}12.5")],
)
def test_numbers_are_rounded_and_nought_has_no_sign(value: float, digits: int, text: str) -> None:
    assert decimal(value, digits) == text


def test_a_time_that_was_not_measured_is_a_dash() -> None:
    assert [seconds(None), seconds(timedelta(seconds=4.25)), seconds(timedelta(minutes=2))] == [DASH, "4.2 s", "120.0 s"]


@pytest.mark.parametrize(("value", "place"), [(-3.0, 0.0), (-1.0, 0.0), (0.0, 0.2), (1.5, 0.5), (4.0, 1.0), (9.0, 1.0)])
def test_a_d_prime_lies_on_its_line_whatever_it_is(value: float, place: float) -> None:
    assert d_prime_place(value) == place
