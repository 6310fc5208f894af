"""Ten thousand frames that nobody should send leave the class playing."""

import asyncio
import json
import logging
import random
import secrets
from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async

from game.classroom.models import Answer
from game.live import consumers
from game.live.hub import current_hub
from game.pool.models import Category
from tests.game.classroom.live import Held, answer, cookie_of_seat, data_of, hold, sit
from tests.game.live.test_live import Browser, join
from tests.people import cookie_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis", "closed_connections")]
FRAMES, SOCKETS = 10_000, 20
Frame = str | bytes


def shaped(card: object, verdict: object = "human", **more: object) -> str:
    return json.dumps({"type": "answer", "card": card, "verdict": verdict, **more})


def unreadable(rng: random.Random, card: str) -> Frame:
    """Return a frame that is none of the protocol's; `card` is on the table, and what is wrong with the frame is something else."""
    makers: list[Callable[[], Frame]] = [
        lambda: "".join(map(chr, rng.choices(range(0xD7FF), k=rng.randrange(900)))),
        lambda: rng.randbytes(rng.randrange(2_000)),
        lambda: "[" * rng.randrange(1, 1_000),
        lambda: '{"card":' * rng.randrange(1, 120),
        lambda: shaped(card)[: rng.randrange(60)],
        lambda: shaped(card) + rng.choice([",", "}", "\x00", "\ud800"]),
        lambda: rng.choice(["", "null", "true", "[]", "{}", '"answer"', "NaN", "-Infinity", "9" * 900, "1e999", "\ufeff{}", "\ud83d"]),
        lambda: shaped(card, rng.choice(["Human", "bot", "", None, True, 0, 9**400, ["human"], {"human": 1}, "human\x00", "\udfff"])),
        lambda: shaped(rng.choice([None, 7, 9**400, [card], {card: 1}, "", card[:-1], card + "a", "\x00" * 22, "\ud800" * 22, "٣" * 22])),
        lambda: shaped("'; DROP TABLE--".ljust(22)),
        lambda: shaped(card, seat="a" * 22),
        lambda: shaped(card).replace("answer", rng.choice(["Answer", "act", "kick", "__proto__", "\\u0000"])),
        lambda: json.dumps([json.loads(shaped(card))]),
        lambda: json.dumps(dict(rng.sample(list(json.loads(shaped(card)).items()), 2))),
        lambda: rng.choice(["act", "news", "websocket.close", "HEADERS"]),
    ]
    return rng.choice(makers)()


def make_frames(rng: random.Random, a_class: Held) -> list[tuple[Frame, str]]:
    """Return frames with the codes that they are to be answered with."""
    table, before, next_one = (a_class.session.cards.get(position=position).token for position in (2, 1, 3))
    makers: list[Callable[[], tuple[Frame, str]]] = [
        *[lambda: (unreadable(rng, table), "bad-frame")] * 8,
        lambda: (shaped(table, note="x" * rng.randrange(1_000, 9_000)), "too-big"),
        lambda: ("[" * rng.choice([1_001, 100_000]), "too-big"),
        lambda: (shaped(rng.choice([next_one, secrets.token_urlsafe(16)])), "wrong-card"),
        lambda: (shaped(before, rng.choice(["human", "machine"])), "late"),
    ]
    return [rng.choice(makers)() for _ in range(FRAMES)]


async def send(socket: Browser, frame: Frame) -> None:
    await socket.send_input({"type": "websocket.receive", "text" if isinstance(frame, str) else "bytes": frame})


async def fuzz(socket: Browser, frames: list[tuple[Frame, str]]) -> list[str]:
    """Send frames all at once, the first before the server has said anything; return the codes that came back."""
    for frame, _ in frames:
        await send(socket, frame)
    codes: list[str] = []
    while len(codes) < len(frames):
        told = await socket.frame(timeout=30)
        if not data_of(told, "stage"):
            codes.append(data_of(told, "trouble")["code"])
    return codes


async def test_a_class_goes_on_under_ten_thousand_frames_that_nobody_should_send(
    category: Category, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(consumers, "FRAMES_AT_ONCE", FRAMES)
    caplog.set_level(logging.INFO)
    a_class = await hold(category, SOCKETS)
    await sync_to_async(a_class.press)("next", "next", "next")
    frames = await sync_to_async(make_frames)(random.Random(7), a_class)
    parts = [frames[number::SOCKETS] for number in range(SOCKETS)]
    sockets = [await sit(a_class.session, each) for each in a_class.seats[:SOCKETS]]
    codes = await asyncio.gather(*(fuzz(*each) for each in zip(sockets, parts, strict=True)))
    assert codes == [[code for _, code in part] for part in parts]
    # Each kind is logged once per connection, and nothing worse.
    refusals = [record for record in caplog.records if "was refused" in record.getMessage()]
    assert len(refusals) == sum(len({code for _, code in part}) for part in parts) == 4 * SOCKETS
    assert [record for record in caplog.records if record.exc_info or record.levelno > logging.INFO] == []
    assert await sync_to_async(Answer.objects.count)() == 0
    card = await sync_to_async(lambda: a_class.card)()
    for socket in sockets:
        await answer(socket, card, "machine")
        assert data_of(await socket.frame(), "mine")["verdict"] == "machine"
    assert await sync_to_async(Answer.objects.filter(card__token=card).count)() == SOCKETS


async def test_frames_of_those_who_may_not_send_any_close_their_connections_alone(
    category: Category, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    a_class = await hold(category)
    rng = random.Random(7)
    card = await sync_to_async(lambda: a_class.card)()
    playing = await sit(a_class.session, a_class.seats[0])
    await playing.frame()
    teacher, seat = await sync_to_async(cookie_of)("teacher"), cookie_of_seat(a_class.session, a_class.seats[1])
    intruders = [
        (f"/live/class/{a_class.code}/", "", 4403),
        (f"/live/class/{a_class.code}/", teacher, 4403),
        (f"/live/class/{a_class.code}/", seat[:-1] + ("a" if seat[-1] != "a" else "b"), 4403),
        (f"/live/class/{a_class.code.lower()}/", seat, 4403),
        (f"/live/class-host/{a_class.code}/", seat, 4403),
        (f"/live/class-host/{a_class.code}/", teacher, 4400),
        (f"/live/class-presenter/{a_class.code}/", teacher, 4400),
        ("/live/leaderboard/all/", seat, 4400),
        (f"/live/seat/{a_class.code}/", seat, 4404),
    ]
    for path, cookie, code in intruders:
        socket = await join(path, cookie=cookie)
        for _ in range(20):
            await send(socket, rng.choice([shaped(card), unreadable(rng, card)]))
        while (event := await socket.receive_output())["type"] == "websocket.send":
            pass
        assert (path, event["code"]) == (path, code)
        await socket.leave()
    assert list(current_hub().rooms) == [("class", a_class.code)]
    assert [record for record in caplog.records if record.exc_info or record.levelno > logging.INFO] == []
    await answer(playing, card, "human")
    assert data_of(await playing.frame(), "mine")["verdict"] == "human"
