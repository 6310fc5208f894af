import math

import pytest

from training.curve import LABEL_GAP, MAX_DRAWN, Mark, Point, draw_curve, nice_ticks, thin_out


def test_a_curve_fills_its_box_and_leaves_room_for_the_steps_to_come() -> None:
    curve = draw_curve([Point(0, 5.0), Point(50, 4.0)], [Point(50, 4.5)], steps=100)
    assert curve is not None
    assert [tick.text for tick in curve.losses] == ["4.0", "4.2", "4.4", "4.6", "4.8", "5.0"]
    assert [tick.y for tick in curve.losses] == [100, 80, 60, 40, 20, 0]
    assert curve.steps == (Mark(0, 100, "0"), Mark(50, 100, "50"), Mark(100, 100, "100"))
    assert curve.train == "M0 0L50 100"
    assert curve.checks == (Mark(50, 50),)
    assert curve.labels == (Mark(50, 100, "learned 4.00"), Mark(50, 50, "held back 4.50"))


def test_before_the_first_point_there_is_no_curve() -> None:
    assert draw_curve([], [], steps=100) is None
    assert draw_curve([Point(1, math.nan)], [Point(1, math.inf)], steps=100) is None


def test_a_loss_that_is_no_number_is_left_out() -> None:
    curve = draw_curve([Point(0, 5.0), Point(1, math.nan), Point(2, 4.0)], [], steps=2)
    assert curve is not None
    assert curve.train == "M0 0L100 100"


def test_a_run_that_needs_more_steps_than_planned_stays_in_the_box() -> None:
    curve = draw_curve([Point(150, 4.0)], [], steps=100)
    assert curve is not None
    assert curve.labels[0].x == 100


def test_labels_that_would_cover_each_other_are_moved_apart() -> None:
    curve = draw_curve([Point(0, 9.0), Point(100, 3.52)], [Point(100, 3.5)], steps=100)
    assert curve is not None
    learned, held_back = sorted(curve.labels, key=lambda label: label.text, reverse=True)
    assert held_back.y - learned.y == pytest.approx(LABEL_GAP)


def test_many_points_are_drawn_as_the_means_of_neighbours() -> None:
    points = [Point(step, float(step % 2)) for step in range(1, 1001)]
    drawn = thin_out(points, MAX_DRAWN)
    assert len(drawn) == MAX_DRAWN
    assert drawn[-1].step == 1000
    assert {round(point.loss, 1) for point in drawn} == {0.4, 0.6}
    assert thin_out(points[:3], 200) == points[:3]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([3.4, 5.1], [3.0, 3.5, 4.0, 4.5, 5.0, 5.5]),
        ([3.71], [3.66, 3.68, 3.7, 3.72, 3.74, 3.76]),
        ([2.3, 10.8], [2.0, 4.0, 6.0, 8.0, 10.0, 12.0]),
        ([0.0], [-0.05, -0.025, 0.0, 0.025, 0.05]),
    ],
)
def test_ticks_are_round_numbers_around_the_values(values: list[float], ticks: list[float]) -> None:
    assert nice_ticks(values) == ticks
