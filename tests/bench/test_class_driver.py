import asyncio
from random import Random

import pytest

from bench.classroom.driver import Driver, Pace
from bench.classroom.losses import Losses, find_losses
from bench.classroom.room import MAX_SEATS, Pass, Room, Student, read_data
from bench.classroom.setup import add_class, add_teacher, read_answers
from bench.classroom.wire import Site
from bench.client import Player
from bench.game import empty_game
from bench.pool import fill_pool

SITE = Site("127.0.0.1", 8000)


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "2001:db8::1"])
def test_no_other_machine_is_driven(host: str) -> None:
    with pytest.raises(ValueError, match="is not this machine"):
        Site(host, 8000)


async def test_no_more_seats_than_the_driver_is_for() -> None:
    with pytest.raises(ValueError, match="2001 seats are more than 2000"):
        Room(SITE, "BCDFGH", [Pass("t", "seat=c")] * (MAX_SEATS + 1), Player(8000))


def test_data_are_those_of_the_last_element_with_the_id() -> None:
    frame = (
        b'<section id="stage" data-phase="card" data-version="3"><div id="mine" class="mine"></div></section><div id="mine" data-card="c">'
    )
    assert read_data(frame, "stage") == {"phase": "card", "version": "3"}
    assert read_data(frame, "mine") == {"card": "c"}
    assert read_data(frame, "trouble") == {}


async def students() -> list[Student]:
    """Return two students who said the same of two cards, were told so, and then that it was one right for 100 points each."""
    room = Room(SITE, "BCDFGH", [Pass("ann", ""), Pass("bob", "")], Player(8000))
    for student in room.students:
        student.pressed = {"c1": "human", "c2": "human"}
        student.told = dict(student.pressed)
        student.under_way = {"c1": 10.0, "c2": 20.0}
        student.standing = {"points": "100", "rank": "1"}
    return room.students


STORED = [(seat, card, "human") for seat in ("ann", "bob") for card in ("c1", "c2")]
ENDED = {"c1": 15.0, "c2": 25.0}
KINDS = {"c1": "human", "c2": "machine"}


async def test_nothing_is_lost_where_all_is_as_the_pages_have_it() -> None:
    assert find_losses(await students(), ENDED, STORED, KINDS) == Losses()


async def test_an_answer_that_was_told_kept_and_is_not_there_is_lost() -> None:
    assert find_losses(await students(), ENDED, STORED[:3], KINDS) == Losses(told_but_gone=1, sent_in_time_but_gone=1)


async def test_an_answer_that_got_through_in_time_is_lost_whatever_its_student_was_told() -> None:
    ann, bob = await students()
    del bob.told["c2"]
    assert find_losses([ann, bob], ENDED, STORED[:3], KINDS) == Losses(sent_in_time_but_gone=1)
    bob.under_way["c2"] = 24.5
    assert find_losses([ann, bob], ENDED, STORED[:3], KINDS) == Losses()


async def test_another_verdict_than_the_one_that_was_pressed_is_lost_and_never_pressed() -> None:
    stored = [*STORED[:3], ("bob", "c2", "machine")]
    assert find_losses(await students(), ENDED, stored, KINDS) == Losses(told_but_gone=1, never_pressed=1)


async def test_an_answer_stored_twice_is_counted() -> None:
    assert find_losses(await students(), ENDED, [*STORED, STORED[0]], KINDS) == Losses(stored_twice=1)


async def test_scores_on_the_podium_are_recomputed() -> None:
    ann, bob = await students()
    ann.standing = {"points": "200", "rank": "1"}
    bob.standing = {"points": "100", "rank": "2"}
    assert find_losses([ann, bob], ENDED, STORED, KINDS) == Losses(wrong_scores=2)


def test_nothing_is_lost_in_a_class_whose_sockets_are_cut() -> None:
    # A game of its own: what a driver leaves behind is nothing for the pages of the one that other tests share.
    with empty_game() as stack, stack.connect() as connection:
        stack.manage("collectstatic", "--noinput", "--verbosity", "0")
        stack.start_web()
        fill_pool(connection, {"cut-class": 40})
        teacher = add_teacher(stack)
        made = add_class(stack, category="cut-class", seats=20, cards=3)
        room = Room(Site("127.0.0.1", stack.port), made.code, made.seats, teacher)
        driver = Driver(room, share=0.5, rng=Random(1), pace=Pace(press=1.0, card=2.0, rest=0.4, away=0.5))
        asyncio.run(driver.play(3))
        stored, kinds = read_answers(connection, made.code)
    assert find_losses(room.students, driver.ended, stored, kinds) == Losses()
    assert 40 <= len(stored) <= 60
    assert len(driver.ended) == 3
    assert driver.cuts.total() >= 10
