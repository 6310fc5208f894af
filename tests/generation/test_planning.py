"""What is planned, and when a failing model is tried again."""

import math
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.planning import FIRST_BATCH, Stock, pause_after_failures, plan_batches, target

STOCKS = st.lists(
    st.builds(Stock, st.integers(1, 9), *[st.integers(0, 400)] * 2, st.integers(0, 2_000), st.integers(10, 500)),
    unique_by=lambda stock: stock.category,
)


def quiet(category: int, ready: int, in_flight: int = 0, target: int = 300) -> Stock:
    return Stock(category, ready, in_flight, 0, target)


def test_an_empty_category_gets_a_small_batch_first_and_categories_take_turns() -> None:
    plan = plan_batches([quiet(1, 0), quiet(2, 0)], batch_size=100, room=20)
    assert plan == [(1, FIRST_BATCH), (2, FIRST_BATCH), (1, 100), (2, 100), (1, 100), (2, 100), (1, 50), (2, 50)]


def test_the_emptiest_category_comes_first_and_is_filled_to_the_target_exactly() -> None:
    assert plan_batches([quiet(1, 295), quiet(2, 100, 80)], batch_size=100, room=20) == [(2, 100), (1, 5), (2, 20)]


def test_the_category_that_is_empty_soonest_comes_before_a_quiet_one_with_less() -> None:
    busy, calm = Stock(1, 500, 0, 1_000, 2_000), quiet(2, 20)
    assert plan_batches([calm, busy], batch_size=100, room=3) == [(1, 100), (2, 100), (1, 100)]


def test_an_empty_category_comes_before_a_busy_one_that_has_some() -> None:
    assert plan_batches([Stock(1, 5, 0, 1_000, 2_000), quiet(2, 0)], batch_size=100, room=1) == [(2, FIRST_BATCH)]


def test_what_unfinished_batches_will_add_is_not_asked_for_again() -> None:
    assert plan_batches([quiet(1, 100, 200), quiet(2, 400), quiet(3, 0, 299)], batch_size=100, room=20) == [(3, 1)]


def test_a_target_below_the_first_batch_is_not_exceeded() -> None:
    assert plan_batches([quiet(1, 0, target=20)], batch_size=100, room=20) == [(1, 20)]
    assert plan_batches([quiet(1, 0, target=100)], batch_size=30, room=20) == [(1, 30), (1, 30), (1, 30), (1, 10)]


def test_a_full_queue_gets_nothing_more() -> None:
    assert plan_batches([quiet(1, 0)], batch_size=30, room=0) == plan_batches([quiet(1, 0)], batch_size=30, room=-3) == []


def test_a_batch_of_nothing_is_refused_rather_than_planned_without_end() -> None:
    with pytest.raises(ValueError, match="one tweet at least"):
        plan_batches([quiet(1, 0)], batch_size=0, room=20)


@given(STOCKS, st.integers(1, 200), st.integers(-5, 40))
def test_a_plan_never_asks_for_more_than_is_lacking_nor_for_more_batches_than_there_is_room_for(
    stocks: list[Stock], batch_size: int, room: int
) -> None:
    plan = plan_batches(stocks, batch_size=batch_size, room=room)
    assert len(plan) <= max(room, 0)
    asked = Counter[int]()
    for category, size in plan:
        assert 1 <= size <= max(batch_size, FIRST_BATCH)
        asked[category] += size
    lacking = {stock.category: max(stock.target - stock.has, 0) for stock in stocks}
    assert all(size <= lacking[category] for category, size in asked.items())
    if len(plan) < room:
        assert asked == Counter({category: lack for category, lack in lacking.items() if lack})


@given(STOCKS, st.integers(1, 200))
def test_who_lacks_something_and_is_empty_soonest_is_served_first(stocks: list[Stock], batch_size: int) -> None:
    lacking = [stock for stock in stocks if stock.has < stock.target]
    plan = plan_batches(stocks, batch_size=batch_size, room=len(lacking))
    by_need = {stock.category: stock.lasts for stock in lacking}
    firsts = [by_need[category] for category in dict.fromkeys(category for category, _ in plan)]
    assert firsts == sorted(by_need.values())


@given(STOCKS, st.integers(1, 200), st.integers(0, 40))
def test_a_plan_that_is_under_way_is_not_planned_again(stocks: list[Stock], batch_size: int, room: int) -> None:
    begun = Counter[int]()
    for category, size in plan_batches(stocks, batch_size=batch_size, room=room):
        begun[category] += size
    later = [Stock(each.category, each.ready, each.in_flight + begun[each.category], each.consumed, each.target) for each in stocks]
    again = Counter[int]()
    for category, size in plan_batches(later, batch_size=batch_size, room=10_000):
        again[category] += size
    assert all(begun[each.category] + again[each.category] == max(each.target - each.has, 0) for each in stocks)


@given(st.integers(0, 1_000_000), st.integers(10, 10_000), st.floats(0.1, 168), st.integers(10, 10_000))
def test_a_category_is_kept_as_far_ahead_as_it_is_played_within_bounds(consumed: int, at_least: int, hours: float, at_most: int) -> None:
    wanted = target(consumed, at_least=at_least, hours_ahead=hours, at_most=at_most)
    assert at_least <= wanted <= max(at_least, at_most)
    if wanted < at_most:
        assert wanted == max(at_least, math.ceil(hours * consumed))


def test_what_nobody_plays_is_kept_at_the_least_and_what_many_play_at_two_hours_worth() -> None:
    assert [target(used, at_least=300, hours_ahead=2, at_most=5_000) for used in (0, 100, 151, 1_000, 9_000)] == [
        300,
        300,
        302,
        2_000,
        5_000,
    ]


def test_a_failing_model_rests_longer_each_time_up_to_an_hour() -> None:
    minutes = [pause_after_failures(failures) / timedelta(minutes=1) for failures in range(9)]
    assert minutes == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert pause_after_failures(1_000_000) == timedelta(hours=1)
