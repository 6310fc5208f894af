"""The page of generation, live: who may watch, and that what workers do arrives."""

import pytest
from asgiref.sync import sync_to_async

from generation import workers
from generation.batches import announce_page
from tests.game.live.test_live import join
from tests.people import cookie_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis", "closed_connections")]
PAGE = "/live/generation/all/"


async def test_only_who_may_watch_generation_may_watch() -> None:
    codes = {}
    for name in ("anonymous", "ada", "teacher"):
        socket = await join(PAGE, cookie=await sync_to_async(cookie_of)(name))
        codes[name] = await socket.close_code()
    assert codes == {"anonymous": 4403, "ada": 4403, "teacher": 4403}


async def test_there_is_no_other_room() -> None:
    socket = await join("/live/generation/1/", cookie=await sync_to_async(cookie_of)("moderator"))
    assert await socket.close_code() == 4404


async def test_a_worker_that_arrives_is_seen_at_once() -> None:
    socket = await join(PAGE, cookie=await sync_to_async(cookie_of)("moderator"))
    assert "No worker has been seen here yet." in await socket.frame()
    await sync_to_async(workers.arrive)(name="generation@attic", device="cuda:1")
    await sync_to_async(announce_page)()
    frame = await socket.frame()
    assert "generation@attic" in frame
    assert [frame.count(f'id="{part}"') for part in ("stocks", "workers", "queue", "failures")] == [1, 1, 1, 1]
