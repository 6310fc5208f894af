import asyncio
from typing import Any

import pytest
from channels.layers import get_channel_layer

from game.live import services
from game.live.groups import room_group
from game.live.services import _send

pytestmark = pytest.mark.usefixtures("redis")


class Listener:
    """Joins a room as a hub does, and keeps what is told there."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def join(self, key: str) -> "Listener":
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(room_group("counter", key), channel)
        self.task = asyncio.create_task(self._listen(layer, channel))
        return self

    async def _listen(self, layer: Any, channel: str) -> None:
        while True:
            self.heard.put_nowait(await layer.receive(channel))


async def test_a_room_that_changes_fifty_times_in_a_moment_is_told_at_once_and_once_more(monkeypatch) -> None:
    monkeypatch.setattr(services, "MOMENT_SECONDS", 0.5)
    listener = await Listener().join("busy")
    for _ in range(50):
        await _send("counter", ("busy",))
    for _ in range(2):
        await asyncio.wait_for(listener.heard.get(), 5)
    await asyncio.sleep(0.7)
    assert listener.heard.empty()


async def test_a_single_change_is_told_once() -> None:
    listener = await Listener().join("calm")
    await _send("counter", ("calm",))
    await asyncio.wait_for(listener.heard.get(), 5)
    await asyncio.sleep(2 * services.MOMENT_SECONDS)
    assert listener.heard.empty()


async def test_a_busy_room_does_not_hold_up_another(monkeypatch) -> None:
    monkeypatch.setattr(services, "MOMENT_SECONDS", 60)
    busy, other = await Listener().join("busy"), await Listener().join("other")
    await _send("counter", ("busy",))
    await _send("counter", ("busy", "other"))
    await asyncio.wait_for(other.heard.get(), 5)
    assert busy.heard.qsize() == 1


async def test_nothing_is_kept_of_a_room_that_has_been_calm_for_a_moment() -> None:
    await _send("counter", ("calm",))
    await asyncio.sleep(2 * services.MOMENT_SECONDS)
    assert services._told[asyncio.get_running_loop()] == {}
