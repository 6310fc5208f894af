"""Frames from clients: answered, refused, or the end of their connection."""

import asyncio
import logging

import pytest

from game.live import consumers
from game.live.hub import current_hub
from tests.game.live.diary import Diary, change, open_diary, say, settle
from tests.game.live.test_live import join

pytestmark = pytest.mark.usefixtures("redis")


async def test_a_frame_is_answered_on_all_devices_of_the_seat_and_nowhere_else(diary: Diary) -> None:
    phone, laptop, bob = await open_diary("ada"), await open_diary("ada"), await open_diary("bob")
    for socket in (phone, laptop, bob):
        await socket.frame()
    await say(phone, "frost")
    assert await phone.frame() == "<p>frost</p><b></b>"
    assert await laptop.frame() == "<p>frost</p><b></b>"
    assert await bob.receive_nothing()


async def test_what_was_answered_is_not_sent_again(diary: Diary) -> None:
    ada = await open_diary("ada")
    await ada.frame()
    await say(ada, "frost")
    await ada.frame()
    await settle()
    await change()
    await settle()
    assert await ada.receive_nothing()


async def test_a_rendering_that_began_before_a_frame_does_not_undo_its_answer(diary: Diary) -> None:
    ada = await open_diary("ada")
    await ada.frame()
    await settle()
    diary.gate = asyncio.Event()
    diary.title = "Tuesday"
    await change()
    await asyncio.sleep(0.2)
    await say(ada, "frost")
    assert await ada.frame() == "<p>frost</p><b></b>"
    diary.gate.set()
    assert "<h1>Tuesday</h1><p>frost</p>" in await ada.frame()


async def test_an_answer_that_comes_after_something_newer_was_shown_repeats_that(diary: Diary) -> None:
    ada = await open_diary("ada")
    await ada.frame()
    await settle()
    diary.reply_gate = asyncio.Event()
    await say(ada, "frost")
    await asyncio.sleep(0.1)
    diary.pages["ada"] = "thaw"
    await change()
    assert "<p>thaw</p>" in await ada.frame()
    diary.reply_gate.set()
    assert await ada.frame() == "<p>thaw</p><b></b>"


async def test_a_refused_frame_is_told_by_its_code_and_logged_once(diary: Diary, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "game.live.consumers")
    ada = await open_diary("ada")
    await ada.frame()
    for _ in range(3):
        await say(ada, "ugly")
        assert await ada.frame() == "<b>ugly</b>"
    await say(ada, "x" * 1001)
    assert await ada.frame() == "<b>too-big</b>"
    await ada.send_input({"type": "websocket.receive", "bytes": b"frost"})
    assert await ada.frame() == "<b>bad-frame</b>"
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == ["ugly.", "too-big.", "bad-frame."]
    await say(ada, "frost")
    assert await ada.frame() == "<p>frost</p><b></b>"


async def test_who_sends_too_much_is_told_and_read_more_slowly(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "FRAMES_AT_ONCE", 3)
    monkeypatch.setattr(consumers, "FRAMES_PER_SECOND", 4.0)
    ada = await open_diary("ada")
    await ada.frame()
    started = asyncio.get_running_loop().time()
    for number in range(5):
        await say(ada, f"line {number}")
    answers = [await ada.frame() for _ in range(5)]
    assert answers == [*(f"<p>line {number}</p><b></b>" for number in range(3)), "<b>too-many</b>", "<p>line 4</p><b></b>"]
    assert asyncio.get_running_loop().time() - started >= 0.25


@pytest.mark.parametrize(("text", "code"), [("leave", 4403), ("burn", 4404)])
async def test_a_frame_may_end_its_connection(diary: Diary, text: str, code: int) -> None:
    ada = await open_diary("ada")
    await ada.frame()
    await say(ada, text)
    assert await ada.close_code() == code


async def test_where_clients_say_nothing_the_first_frame_closes_the_connection_and_the_second_changes_nothing(diary: Diary) -> None:
    socket = await join("/live/wall/a/")
    assert await socket.frame() == "<h1>Wall</h1>"
    await say(socket, "{}")
    await say(socket, "{}")
    assert await socket.close_code() == 4400
    await socket.leave()
    assert current_hub().rooms == {}
