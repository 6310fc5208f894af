import asyncio
import re
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.utils import timezone

from game.live.services import announce
from game.pool.models import Category
from tests.game.live.test_live import join
from tests.people import cookie_of
from training.models import TrainingRun
from training.topics import TRAINING

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis", "closed_connections")]


@pytest.fixture
def run() -> TrainingRun:
    category = Category.objects.create(slug="starlings", name="Starlings")
    return TrainingRun.objects.create(
        category=category,
        base="starter",
        folder="x",
        state="running",
        stage="finetune",
        steps=40,
        device="cpu",
        lease_until=timezone.now() + timedelta(hours=1),
    )


def learn(run: TrainingRun, step: int) -> None:
    """Write down that the run is at a step, as its worker does."""
    run.points.create(step=step, train_loss=5 - step / 10, seconds=step)
    run.samples.create(step=step, position=0, text=f"said at step {step}")
    TrainingRun.objects.filter(pk=run.pk).update(step=step, seconds=step)
    announce(topic=TRAINING, keys=[str(run.pk), "all"])


@pytest.mark.parametrize("key", ["{run}", "all"])
async def test_only_who_may_train_may_watch(key: str, run: TrainingRun) -> None:
    path = f"/live/training/{key.format(run=run.pk)}/"
    codes = {}
    for name in ("anonymous", "ada", "teacher"):
        socket = await join(path, cookie=await sync_to_async(cookie_of)(name))
        codes[name] = await socket.close_code()
    assert codes == {"anonymous": 4403, "ada": 4403, "teacher": 4403}


async def test_a_session_that_was_ended_opens_nothing(run: TrainingRun) -> None:
    cookie = await sync_to_async(cookie_of)("moderator")

    def change_password() -> None:
        user = User.objects.get(username="moderator")
        user.set_password("another one")
        user.save()

    await sync_to_async(change_password)()
    socket = await join(f"/live/training/{run.pk}/", cookie=cookie)
    assert await socket.close_code() == 4403


async def test_those_who_watch_a_run_see_it_go_on(run: TrainingRun) -> None:
    cookie = await sync_to_async(cookie_of)("moderator")
    sockets = [await join(f"/live/training/{run.pk}/", cookie=cookie) for _ in range(2)]
    for socket in sockets:
        frame = await socket.frame()
        assert re.findall(r'^<\w+ id="(\w+)"', frame, re.MULTILINE) == ["now", "curve", "points", "scores", "samples", "notes"]
        assert "The curve begins with the first steps" in frame
    await asyncio.sleep(0.5)
    await sync_to_async(learn)(run, 10)
    for socket in sockets:
        frame = await socket.frame()
        assert "Step 10 of 40" in frame
        assert "learned 4.00" in frame
        assert "said at step 10" in frame
        await socket.leave()


async def test_the_list_says_how_far_each_run_is(run: TrainingRun) -> None:
    socket = await join("/live/training/all/", cookie=await sync_to_async(cookie_of)("moderator"))
    frame = await socket.frame()
    assert re.findall(r'^<\w+ id="([\w-]+)"', frame, re.MULTILINE) == ["runs", "models-list", "history"]
    await asyncio.sleep(0.5)
    await sync_to_async(learn)(run, 30)
    assert '<progress class="progress" max="40" value="30"' in await socket.frame()
    await socket.leave()


@pytest.mark.parametrize("key", ["999999", "99999999999999999999", "nothing"])
async def test_a_run_that_never_was_has_no_room(key: str, run: TrainingRun) -> None:
    socket = await join(f"/live/training/{key}/", cookie=await sync_to_async(cookie_of)("moderator"))
    assert await socket.close_code() == 4404
