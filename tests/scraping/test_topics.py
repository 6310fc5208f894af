import asyncio
import re
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from game.pool.models import Category
from scraping.models import ScrapeRun, SourceStatus
from scraping.runs import announce_on_commit, cancel_run, forget_ban
from tests.game.live.test_live import join
from tests.people import cookie_of
from tests.scraping.pages import make_feed, make_run, make_visit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis", "closed_connections")]


@pytest.fixture
def run() -> ScrapeRun:
    category = Category.objects.create(slug="starlings", name="Starlings")
    run = make_run(category, state="running", started_at=timezone.now())
    make_visit(run, make_feed(category), state="running")
    return run


def fetch(run: ScrapeRun, posts: int) -> None:
    """Write down that the run has so many posts, as its process does."""
    run.visits.update(pages=1, posts=posts, new=posts, kept=1, dropped={"REPLY": posts - 1})
    announce_on_commit(run.pk)


@pytest.mark.parametrize("key", ["{run}", "all"])
async def test_only_who_may_scrape_may_watch(key: str, run: ScrapeRun) -> None:
    path = f"/live/scraping/{key.format(run=run.pk)}/"
    codes = {}
    for name in ("anonymous", "ada", "teacher"):
        socket = await join(path, cookie=await sync_to_async(cookie_of)(name))
        codes[name] = await socket.close_code()
    assert codes == {"anonymous": 4403, "ada": 4403, "teacher": 4403}


async def test_those_who_watch_a_run_see_it_go_on(run: ScrapeRun) -> None:
    cookie = await sync_to_async(cookie_of)("moderator")
    sockets = [await join(f"/live/scraping/{run.pk}/", cookie=cookie) for _ in range(2)]
    for socket in sockets:
        frame = await socket.frame()
        assert re.findall(r'^<\w+ id="([\w-]+)"', frame, re.MULTILINE) == ["now", "visits", "dropped", "notes", "newer"]
        assert "0 posts" in frame
    await asyncio.sleep(0.5)
    await sync_to_async(fetch)(run, 41)
    for socket in sockets:
        frame = await socket.frame()
        assert "1 page · 41 posts · 41 new · 1 kept" in frame
        assert re.search(r"Reply</a></th><td>40<", frame)
        await socket.leave()


async def test_the_list_hears_of_runs_and_of_bans_that_are_over(run: ScrapeRun) -> None:
    await SourceStatus.objects.acreate(name="x", rests_until=timezone.now() + timedelta(hours=1))
    socket = await join("/live/scraping/all/", cookie=await sync_to_async(cookie_of)("moderator"))
    frame = await socket.frame()
    assert re.findall(r'^<\w+ id="([\w-]+)"', frame, re.MULTILINE) == ["runs", "categories", "sources"]
    assert frame.count("Ask it again") == 1
    await asyncio.sleep(0.5)
    await sync_to_async(forget_ban)(name="x")
    assert "Ask it again" not in await socket.frame()
    await sync_to_async(cancel_run)(run_id=run.pk, by=None)
    assert "Stopping" in await socket.frame()
    await socket.leave()


@pytest.mark.parametrize("key", ["999999", "99999999999999999999", "nothing"])
async def test_a_run_that_never_was_has_no_room(key: str, run: ScrapeRun) -> None:
    socket = await join(f"/live/scraping/{key}/", cookie=await sync_to_async(cookie_of)("moderator"))
    assert await socket.close_code() == 4404
