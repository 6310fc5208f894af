from collections.abc import Sequence
from threading import Event, get_ident

import pytest
from django.db import connection

from game.pool.models import Category
from scraping.clerk import Clerk


def double(chunk: Sequence[int]) -> list[int]:
    return [2 * number for number in chunk]


def test_every_chunk_is_worked_on_in_order_and_told_here(db: None) -> None:
    told: list[tuple[int, list[int]]] = []
    with Clerk(double, lambda result: told.append((get_ident(), result))) as clerk:
        clerk.hand_over([1, 2])
        clerk.hand_over([3])
    assert told == [(get_ident(), [2, 4]), (get_ident(), [6])]


def test_its_maker_goes_on_meanwhile(db: None) -> None:
    let_go, told = Event(), list[bool]()

    def wait(chunk: Sequence[int]) -> bool:
        return let_go.wait(10)

    with Clerk(wait, told.append) as clerk:
        clerk.hand_over([1])
        assert told == []
        let_go.set()
    assert told == [True]


def test_it_works_in_the_transaction_of_its_maker(db: None) -> None:
    barn = Category.objects.create(slug="barn", name="Barn")
    told: list[Category] = []

    def find(chunk: Sequence[str]) -> Category:
        return Category.objects.get(slug=chunk[0])

    with Clerk(find, told.append) as clerk:
        clerk.hand_over(["barn"])
    assert told == [barn]
    assert not connection.allow_thread_sharing


def hand_over(clerk: Clerk[int, list[int]], *numbers: int, then: BaseException | None = None) -> None:
    with clerk:
        for number in numbers:
            clerk.hand_over([number])
        if then:
            raise then


def test_what_goes_wrong_is_raised_by_the_next_call_or_the_end(db: None) -> None:
    begun: list[int] = []

    def fail(chunk: Sequence[int]) -> list[int]:
        begun.extend(chunk)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hand_over(Clerk(fail, begun.extend), 1, 2)
    with pytest.raises(ZeroDivisionError):
        hand_over(Clerk(fail, begun.extend), 3)
    assert begun == [1, 3]
    assert not connection.allow_thread_sharing


def test_an_interruption_waits_for_the_chunk_in_work_and_is_not_hidden_by_it(db: None) -> None:
    told: list[int] = []

    def fail(chunk: Sequence[int]) -> list[int]:
        raise ZeroDivisionError

    with pytest.raises(KeyboardInterrupt):
        hand_over(Clerk(double, told.extend), 1, then=KeyboardInterrupt())
    assert told == [2]
    with pytest.raises(KeyboardInterrupt):
        hand_over(Clerk(fail, told.extend), 1, then=KeyboardInterrupt())
    assert told == [2]
