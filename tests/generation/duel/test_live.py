"""A prompt's room: everybody sees it, and the same."""

from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.http import HttpResponse, parse_cookie

from game.accounts.identity import COOKIE, remember_player
from game.accounts.services import create_guest
from game.live.hub import Close
from game.live.topics import RoomClosed
from game.pool.models import Category
from generation.duel import services
from generation.duel.columns import complete_column
from generation.duel.models import Prompt
from generation.duel.topics import DuelTopic
from generation.versions import promote_model, register_model
from tests.game.live.test_live import join
from tests.generation.conftest import copy_model
from tests.people import cookie_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis", "closed_connections")]


def cookie_of_a_guest() -> str:
    response = HttpResponse()
    remember_player(response, create_guest().pk)
    return f"{COOKIE}={response.cookies[COOKIE].value}; csrftoken={'c' * 32}"


def prepare(folder: Path) -> Prompt:
    category = Category.objects.create(slug="starlings", name="Starlings")
    promote_model(model_version=register_model(category=category, folder=copy_model(folder)), by=None)
    return services.ask(text="I think that", allow_new=lambda: True)["prompt"]


async def test_a_column_fills_live_and_the_frame_knows_nothing_of_who_looks(sent, let_speak, tmp_path) -> None:
    let_speak()
    prompt = await sync_to_async(prepare)(tmp_path / "model")
    cookies = [await sync_to_async(make)() for make in (cookie_of_a_guest, cookie_of_a_guest, lambda: cookie_of("moderator"))]
    browsers = [await join(f"/live/duel/{prompt.token}/", cookie) for cookie in cookies]
    waiting = [await browser.frame() for browser in browsers]
    assert len(set(waiting)) == 1
    assert 'aria-busy="true"' in waiting[0]

    (column_id,) = sent
    await sync_to_async(complete_column)(column_id=column_id)
    frames = ["", "", ""]
    while not all("aria-busy" not in frame and frame for frame in frames):
        frames = [await browser.frame(5) for browser in browsers]
    assert len(set(frames)) == 1
    assert f'id="column-{column_id}"' in frames[0]
    assert "we have to win this for the people of our country." in frames[0]
    secrets = [value for cookie in cookies for name, value in parse_cookie(cookie).items() if name in (COOKIE, "sessionid", "csrftoken")]
    assert len(secrets) == 5
    assert not [word for word in ("csrf", *secrets) if word in frames[0]]
    for browser in browsers:
        await browser.leave()


async def test_there_is_no_room_for_a_prompt_that_is_none() -> None:
    browser = await join("/live/duel/nonesuch/", "")
    assert await browser.close_code() == Close.NOT_FOUND


async def test_a_prompt_that_is_rejected_closes_its_room_and_nobody_enters_it_again(sent, let_speak, tmp_path) -> None:
    let_speak()
    prompt = await sync_to_async(prepare)(tmp_path / "model")
    moderator = await sync_to_async(User.objects.create)(username="mo")
    (column_id,) = sent
    await sync_to_async(complete_column)(column_id=column_id)
    path = f"/live/duel/{prompt.token}/"
    browser = await join(path, "")
    assert "people of our country" in await browser.frame()

    await sync_to_async(services.decide_prompt)(token=prompt.token, by=moderator, approved=False)
    assert await browser.close_code() == Close.NOT_FOUND
    late = await join(path, "")
    assert await late.close_code() == Close.REFUSED
    # Where somebody got in just before the rejection.
    with pytest.raises(RoomClosed):
        await DuelTopic().render(prompt.token)

    await sync_to_async(services.decide_prompt)(token=prompt.token, by=moderator, approved=True)
    browser = await join(path, "")
    assert "people of our country" in await browser.frame()
    await browser.leave()


async def test_a_prompt_that_a_class_guesses_at_closes_its_room(sent, let_speak, tmp_path) -> None:
    let_speak()
    prompt = await sync_to_async(prepare)(tmp_path / "model")
    (column_id,) = sent
    await sync_to_async(complete_column)(column_id=column_id)
    browser = await join(f"/live/duel/{prompt.token}/", "")
    assert "people of our country" in await browser.frame()
    await sync_to_async(services.close_prompt)(prompt=prompt, seconds=60)
    assert await browser.close_code() == Close.NOT_FOUND
    late = await join(f"/live/duel/{prompt.token}/", "")
    assert await late.close_code() == Close.REFUSED
