"""Rooms in which it matters who one is: what each is sent, and when."""

import asyncio
import math

import pytest
from django.db import OperationalError

from game.live import consumers
from game.live import hub as hub_module
from game.live.hub import current_hub
from game.live.sockets import Close
from tests.game.live.diary import Diary, change, open_diary, settle

pytestmark = pytest.mark.usefixtures("redis")


async def test_everybody_is_sent_what_all_see_a_part_of_their_own_and_the_time_in_one_frame(diary: Diary) -> None:
    ada = await open_diary("ada")
    assert await ada.frame() == "<h1>Monday</h1><p>rain</p><i>1</i>"
    bob = await open_diary("bob")
    assert await bob.frame() == "<h1>Monday</h1><p>sun</p><i>2</i>"


async def test_only_those_whose_part_has_changed_are_sent_a_frame_and_nobody_for_the_time_alone(diary: Diary) -> None:
    ada, bob = await open_diary("ada"), await open_diary("bob")
    await ada.frame()
    await bob.frame()
    await settle()
    await change()
    await settle()
    assert diary.renderings > 1
    assert await ada.receive_nothing()
    diary.pages["bob"] = "hail"
    await change()
    assert "hail" in await bob.frame()
    assert await ada.receive_nothing()


async def test_nobody_without_a_seat_may_watch(diary: Diary) -> None:
    assert await (await open_diary("")).close_code() == 4403
    assert current_hub().rooms == {}


async def test_who_sat_down_after_the_last_rendering_gets_a_part_too(diary: Diary) -> None:
    ada = await open_diary("ada")
    await ada.frame()
    diary.pages["eve"] = "fog"
    eve = await open_diary("eve")
    assert "<p>fog</p>" in await eve.frame()


async def test_who_has_lost_the_seat_is_put_out_and_the_others_stay(diary: Diary) -> None:
    ada, bob = await open_diary("ada"), await open_diary("bob")
    await ada.frame()
    await bob.frame()
    del diary.pages["ada"]
    await change()
    assert await ada.close_code() == 4403
    diary.title = "Tuesday"
    await change()
    assert "Tuesday" in await bob.frame()
    assert await (await open_diary("ada")).close_code() == 4403


async def test_a_hundred_who_come_at_once_cost_few_renderings_and_each_gets_the_time_as_it_is(diary: Diary) -> None:
    diary.pages = {f"guest{number}": str(number) for number in range(100)}
    guests = await asyncio.gather(*(open_diary(who) for who in diary.pages))
    frames = await asyncio.gather(*(guest.frame() for guest in guests))
    assert [frame.split("<i>")[0] for frame in frames] == [f"<h1>Monday</h1><p>{number}</p>" for number in range(100)]
    assert diary.renderings <= 4
    await settle()
    diary.pages["late"] = "late"
    assert await (await open_diary("late")).frame() == f"<h1>Monday</h1><p>late</p><i>{diary.clock}</i>"


async def test_who_comes_back_is_not_shown_what_was_read_before(diary: Diary) -> None:
    ada = await open_diary("ada")
    await ada.frame()
    await settle()
    diary.gate = asyncio.Event()
    await change()
    await settle()
    # Somewhere else, while that rendering is under way.
    diary.pages["bob"] = "snow"
    bob = await open_diary("bob")
    diary.gate.set()
    assert "<p>snow</p>" in await bob.frame()
    assert await bob.receive_nothing(timeout=0.5)


async def test_while_the_database_is_away_who_comes_is_asked_to_come_again(diary: Diary) -> None:
    diary.error = OperationalError("the server is away")
    assert await (await open_diary("ada")).close_code() == 4500


async def test_sockets_that_take_nothing_hold_up_nobody_who_does(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "SEND_TIMEOUT_SECONDS", 1.0)
    cut_off = []

    class Stuck:
        async def send_frame(self, frame: str) -> None:
            await asyncio.Event().wait()

        async def cut_off(self, code: Close) -> None:
            cut_off.append(code)

    for _ in range(20):
        await current_hub().join(Stuck(), diary, "a", "ada")
    bob = await open_diary("bob")
    assert "sun" in await bob.frame(timeout=0.9)
    await asyncio.sleep(1.2)
    assert cut_off == [Close.TOO_SLOW] * 20
    diary.title = "Tuesday"
    await change()
    assert "Tuesday" in await bob.frame()


async def test_two_updates_may_come_in_one_moment_and_a_third_waits(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await open_diary("ada")
    await ada.frame()
    await settle()
    monkeypatch.setattr(hub_module, "MIN_INTERVAL_SECONDS", 60)
    current_hub().rooms["diary", "a"].times.extend([-math.inf, -math.inf])
    for diary.title in ("Tuesday", "Wednesday"):
        await change()
        assert diary.title in await ada.frame()
        await asyncio.sleep(0.2)
    diary.title = "Thursday"
    await change()
    assert await ada.receive_nothing(timeout=0.5)


async def test_a_room_does_not_keep_a_socket_that_went_away_while_it_came_in(diary: Diary) -> None:
    class Gone(Exception):
        pass

    async def send(event) -> None:
        if event["type"] == "websocket.send":
            raise Gone

    events = iter([{"type": "websocket.connect"}])

    async def receive():
        return next(events, None) or await asyncio.Event().wait()

    scope = {"headers": [(b"cookie", b"ada")], "url_route": {"kwargs": {"topic": "diary", "key": "a"}}}
    task = asyncio.create_task(consumers.serve(scope, receive, send))
    await asyncio.sleep(0.5)
    # The room put it out when it took no frame; the server ends the rest.
    assert current_hub().rooms["diary", "a"].sockets == set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert current_hub().rooms == {}
