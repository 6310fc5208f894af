"""Rooms in which it matters who one is: parts of one's own, and frames from clients."""

import asyncio
import logging
from collections.abc import Iterator

import pytest
from django.db import OperationalError

from game.live import consumers
from game.live import hub as hub_module
from game.live.hub import current_hub
from game.live.services import _send
from game.live.sockets import Close
from game.live.topics import Dismissed, Frames, Refused, Reply, RoomClosed, _topics, new_moment, register_topic
from tests.game.live.test_live import Browser, join

pytestmark = pytest.mark.usefixtures("redis")


class Diary:
    """A topic whose pages belong to whom the cookie names; what a client sends is written into its own."""

    name = "diary"

    def __init__(self) -> None:
        self.title = "Monday"
        self.pages = {"ada": "rain", "bob": "sun"}
        self.clock = 0
        self.renderings = 0
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.reply_gate: asyncio.Event | None = None

    async def admit(self, scope, key: str) -> str | None:
        if self.error:
            raise self.error
        return dict(scope["headers"])[b"cookie"].decode() or None

    async def render(self, key: str) -> Frames:
        self.renderings += 1
        pages = dict(self.pages)
        if self.gate:
            await self.gate.wait()
        return Frames(f"<h1>{self.title}</h1>", {who: f"<p>{text}</p>" for who, text in pages.items()}, self.tell_time)

    def tell_time(self) -> str:
        self.clock += 1
        return f"<i>{self.clock}</i>"

    async def receive(self, key: str, who: str, text: str) -> Reply:
        endings = {"ugly": Refused("ugly"), "leave": Dismissed(), "burn": RoomClosed()}
        if text in endings:
            raise endings[text]
        self.pages[who] = text
        reply = Reply(f"<p>{text}</p>", new_moment(), "<b></b>")
        if self.reply_gate:
            await self.reply_gate.wait()
        return reply

    def explain(self, code: str) -> str:
        return f"<b>{code}</b>"


class Wall:
    """A topic of which everybody has a part, and whose clients say nothing."""

    name = "wall"

    async def admit(self, scope, key: str) -> str | None:
        return "ada"

    async def render(self, key: str) -> Frames:
        return Frames("<h1>Wall</h1>", {"ada": ""})


@pytest.fixture
def diary() -> Iterator[Diary]:
    topic = Diary()
    register_topic(topic)
    register_topic(Wall())
    yield topic
    del _topics["diary"]
    del _topics["wall"]


async def open_diary(who: str) -> Browser:
    return await join("/live/diary/a/", cookie=who)


async def say(socket: Browser, text: str) -> None:
    await socket.send_input({"type": "websocket.receive", "text": text})


async def change() -> None:
    await _send("diary", ("a",))


async def settle() -> None:
    """Wait until the room may be rendered again."""
    await asyncio.sleep(2 * hub_module.MIN_INTERVAL_SECONDS)


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


async def test_a_room_does_not_keep_a_socket_that_went_away_while_it_came_in(diary: Diary) -> None:
    class Gone(Exception):
        pass

    async def send(event) -> None:
        if event["type"] == "websocket.send":
            raise Gone

    async def receive():
        return {"type": "websocket.connect"} if not began.is_set() and not began.set() else await asyncio.Event().wait()

    began = asyncio.Event()
    scope = {"headers": [(b"cookie", b"ada")], "url_route": {"kwargs": {"topic": "diary", "key": "a"}}}
    task = asyncio.create_task(consumers.serve(scope, receive, send))
    await asyncio.sleep(0.5)
    # The room put it out when it took no frame; the server ends the rest.
    assert current_hub().rooms["diary", "a"].sockets == set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert current_hub().rooms == {}
