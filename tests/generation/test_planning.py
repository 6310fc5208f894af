"""What is planned, and when a failing model is tried again."""

from datetime import timedelta

import pytest

from generation.planning import FIRST_BATCH, Stock, pause_after_failures, plan_batches


def test_an_empty_category_gets_a_small_batch_first_and_categories_take_turns() -> None:
    plan = plan_batches([Stock(1, 0, 0), Stock(2, 0, 0)], target=300, batch_size=100)
    assert plan == [(1, FIRST_BATCH), (2, FIRST_BATCH), (1, 100), (2, 100), (1, 100), (2, 100), (1, 50), (2, 50)]


def test_the_emptiest_category_comes_first_and_is_filled_to_the_target_exactly() -> None:
    assert plan_batches([Stock(1, 295, 0), Stock(2, 100, 80)], target=300, batch_size=100) == [(2, 100), (1, 5), (2, 20)]


def test_what_unfinished_batches_will_add_is_not_asked_for_again() -> None:
    assert plan_batches([Stock(1, 100, 200), Stock(2, 400, 0), Stock(3, 0, 299)], target=300, batch_size=100) == [(3, 1)]


def test_a_target_below_the_first_batch_is_not_exceeded() -> None:
    assert plan_batches([Stock(1, 0, 0)], target=20, batch_size=100) == [(1, 20)]
    assert plan_batches([Stock(1, 0, 0)], target=100, batch_size=30) == [(1, 30), (1, 30), (1, 30), (1, 10)]


def test_a_batch_of_nothing_is_refused_rather_than_planned_without_end() -> None:
    with pytest.raises(ValueError, match="one tweet at least"):
        plan_batches([Stock(1, 0, 0)], target=20, batch_size=0)


def test_a_failing_model_rests_longer_each_time_up_to_an_hour() -> None:
    minutes = [pause_after_failures(failures) / timedelta(minutes=1) for failures in range(9)]
    assert minutes == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert pause_after_failures(1_000_000) == timedelta(hours=1)
