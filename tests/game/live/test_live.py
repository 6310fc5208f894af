import asyncio
import time

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer

from game.asgi import application
from game.live import hub as hub_module
from game.live.hub import Close, current_hub
from game.live.services import _send
from game.live.topics import RoomClosed, _topics, register_topic

pytestmark = pytest.mark.usefixtures("redis")


class Counter:
    """A topic whose state is a number; nobody may watch the room `closed`."""

    name = "counter"

    def __init__(self) -> None:
        self.value = 0
        self.error: Exception | None = None
        self.renderings = 0

    async def may_join(self, scope, key: str) -> bool:
        return key != "closed"

    async def render(self, key: str) -> str:
        self.renderings += 1
        if self.error:
            raise self.error
        return f'<p id="counter">{key} {self.value}</p>'


@pytest.fixture
def counter():
    topic = Counter()
    register_topic(topic)
    yield topic
    del _topics["counter"]


class Browser(ApplicationCommunicator):
    """One end of a websocket, without the network. (channels.testing would bring daphne and twisted along.)"""

    def __init__(self, path: str, origin: bytes = b"http://localhost", cookie: str = "") -> None:
        headers = [(b"origin", origin), (b"host", b"localhost"), (b"cookie", cookie.encode())]
        super().__init__(application, {"type": "websocket", "path": path, "query_string": b"", "headers": headers, "subprotocols": []})

    async def connect(self) -> str:
        await self.send_input({"type": "websocket.connect"})
        return (await self.receive_output())["type"]

    async def frame(self, timeout: float = 2) -> str:
        event = await self.receive_output(timeout)
        assert event["type"] == "websocket.send", event
        return event["text"]

    async def close_code(self) -> int:
        event = await self.receive_output()
        assert event["type"] == "websocket.close", event
        return event["code"]

    async def leave(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait()


async def join(path: str, cookie: str = "") -> Browser:
    browser = Browser(path, cookie=cookie)
    assert await browser.connect() == "websocket.accept"
    return browser


async def change(topic: Counter, key: str = "a") -> None:
    topic.value += 1
    await _send("counter", (key,))


async def test_a_socket_gets_the_whole_state_at_once_and_after_each_change(counter: Counter) -> None:
    socket = await join("/live/counter/a/")
    assert await socket.frame() == '<p id="counter">a 0</p>'
    await asyncio.sleep(0.3)
    await change(counter)
    assert await socket.frame() == '<p id="counter">a 1</p>'
    await socket.leave()


async def test_a_socket_that_comes_while_redis_is_away_gets_the_state_and_later_the_news(counter: Counter, monkeypatch) -> None:
    layer = get_channel_layer()
    new_channel = layer.new_channel
    tries = 0

    async def fail_at_first() -> str:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ConnectionError("Redis is away")
        return await new_channel()

    monkeypatch.setattr(layer, "new_channel", fail_at_first)
    socket = await join("/live/counter/a/")
    assert await socket.frame() == '<p id="counter">a 0</p>'
    await asyncio.sleep(1.3)
    await change(counter)
    assert await socket.frame() == '<p id="counter">a 1</p>'
    await socket.leave()


async def test_a_late_socket_gets_the_current_state(counter: Counter) -> None:
    first = await join("/live/counter/a/")
    await first.frame()
    await change(counter)
    await first.frame()
    second = await join("/live/counter/a/")
    assert await second.frame() == '<p id="counter">a 1</p>'
    await first.leave()
    await second.leave()


async def test_one_change_is_rendered_once_for_all_sockets(counter: Counter) -> None:
    sockets = [await join("/live/counter/a/") for _ in range(20)]
    for socket in sockets:
        assert await socket.frame() == '<p id="counter">a 0</p>'
    await asyncio.sleep(0.6)
    before = counter.renderings
    await change(counter)
    for socket in sockets:
        assert await socket.frame() == '<p id="counter">a 1</p>'
    assert counter.renderings == before + 1
    for socket in sockets:
        await socket.leave()


async def test_sockets_of_a_room_share_one_channel(counter: Counter) -> None:
    sockets = [await join("/live/counter/a/") for _ in range(5)]
    assert len(current_hub().rooms) == 1
    assert len(current_hub().rooms["counter", "a"].sockets) == 5
    for socket in sockets:
        await socket.leave()


async def test_a_hundred_changes_become_few_frames_and_the_last_state_arrives(counter: Counter) -> None:
    socket = await join("/live/counter/a/")
    await socket.frame()
    started = time.monotonic()
    for _ in range(100):
        await change(counter)
    frames: list[str] = []
    while not frames or "100" not in frames[-1]:
        frames.append(await socket.frame(timeout=5))
    assert len(frames) <= 2 + (time.monotonic() - started) / hub_module.MIN_INTERVAL_SECONDS
    await socket.leave()


async def test_news_of_one_room_stays_in_it(counter: Counter) -> None:
    a, b = await join("/live/counter/a/"), await join("/live/counter/b/")
    await a.frame()
    assert await b.frame() == '<p id="counter">b 0</p>'
    await asyncio.sleep(0.6)
    await change(counter, "a")
    assert await a.frame() == '<p id="counter">a 1</p>'
    assert await b.receive_nothing(timeout=0.5)
    await a.leave()
    await b.leave()


async def test_a_change_whose_news_was_lost_is_seen_all_the_same(counter: Counter, monkeypatch) -> None:
    monkeypatch.setattr(hub_module, "CATCH_UP_SECONDS", 0.3)
    socket = await join("/live/counter/a/")
    await socket.frame()
    counter.value = 7
    assert await socket.frame(timeout=3) == '<p id="counter">a 7</p>'
    await socket.leave()


async def test_the_last_one_out_ends_the_room(counter: Counter) -> None:
    socket = await join("/live/counter/a/")
    await socket.frame()
    room = current_hub().rooms["counter", "a"]
    await socket.leave()
    assert current_hub().rooms == {}
    assert room.task.done()


@pytest.mark.parametrize(("error", "code"), [(RoomClosed(), 4404), (RuntimeError("a bug"), 4500)])
async def test_a_room_that_ends_by_itself_tells_its_sockets_and_can_begin_again(counter: Counter, error: Exception, code: int) -> None:
    socket = await join("/live/counter/a/")
    await socket.frame()
    counter.error = error
    await change(counter)
    assert await socket.close_code() == code
    assert current_hub().rooms == {}
    counter.error = None
    again = await join("/live/counter/a/")
    assert await again.frame() == '<p id="counter">a 1</p>'
    await socket.leave()
    await again.leave()


async def test_a_socket_that_takes_no_frame_is_cut_off_and_the_others_go_on(counter: Counter, monkeypatch) -> None:
    monkeypatch.setattr(hub_module, "SEND_TIMEOUT_SECONDS", 0.2)

    class Stuck:
        closed = False

        async def send_frame(self, frame: str) -> None:
            await asyncio.sleep(60)

        async def cut_off(self, code: Close) -> None:
            self.closed = code == Close.TOO_SLOW

    good, stuck = await join("/live/counter/a/"), Stuck()
    await good.frame()
    current_hub().rooms["counter", "a"].sockets.add(stuck)
    await change(counter)
    assert await good.frame() == '<p id="counter">a 1</p>'
    await asyncio.sleep(0.5)
    assert stuck.closed
    assert len(current_hub().rooms["counter", "a"].sockets) == 1
    await good.leave()


@pytest.mark.parametrize(
    ("path", "code"),
    [("/live/counter/closed/", 4403), ("/live/nothing/a/", 4404), ("/live/", 4404), ("/live/counter/%00/", 4404), ("/elsewhere", 4404)],
)
async def test_those_who_may_not_watch_are_told_by_a_code(counter: Counter, path: str, code: int) -> None:
    socket = await join(path)
    assert await socket.close_code() == code
    assert current_hub().rooms == {}


async def test_a_frame_that_nobody_expects_closes_the_socket(counter: Counter) -> None:
    socket = await join("/live/counter/a/")
    await socket.frame()
    await socket.send_input({"type": "websocket.receive", "text": "{}"})
    assert await socket.close_code() == 4400
    await socket.leave()


async def test_pages_of_other_sites_may_not_connect(counter: Counter) -> None:
    assert await Browser("/live/counter/a/", origin=b"https://elsewhere.example").connect() == "websocket.close"
