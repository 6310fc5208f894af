"""A class, live: who may watch, what each is sent, and what becomes of answers."""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from django.db import OperationalError, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from game.classroom import desk, frames, topics
from game.classroom.models import Answer, ClassCard, ClassSession, ClassText
from game.classroom.selectors import find_session
from game.classroom.services import announce_class, kick
from game.live import hub as hub_module
from game.pool.models import Author, Category, Kind, Tweet
from tests.game.classroom.classes import hold_class, press, seat
from tests.game.classroom.live import Held, answer, cookie_of_seat, data_of, hold, ids_of, sit
from tests.game.live.test_live import Browser, join
from tests.people import cookie_of
from tests.test_docs import PROTOCOL, table

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis", "closed_connections")]


async def watch(held: Held, topic: str, who: str = "teacher") -> Browser:
    """Connect a page of the teacher's."""
    return await join(f"/live/{topic}/{held.code}/", cookie=await sync_to_async(cookie_of)(who))


async def settle() -> None:
    """Wait until a room may be rendered again."""
    await asyncio.sleep(2 * hub_module.MIN_INTERVAL_SECONDS)


async def test_a_student_is_sent_the_card_an_own_part_and_the_time(category: Category) -> None:
    a_class = await hold(category)
    frame = await (await sit(a_class.session, a_class.seats[0])).frame()
    assert ids_of(frame) == ["stage", "trouble", "mine", "clock"]
    card = await sync_to_async(lambda: a_class.card)()
    assert data_of(frame, "stage") == {"phase": "card", "version": "1", "card": card}
    assert (data_of(frame, "mine")["card"], data_of(frame, "mine")["verdict"]) == (card, "")
    clock = data_of(frame, "clock")
    assert (clock["given"], clock["running"]) == ("300000", "true")
    assert 290_000 < int(clock["left"]) <= 300_000


@pytest.mark.parametrize("topic", ["class", "class-host", "class-presenter"])
async def test_rooms_send_the_elements_that_the_protocol_names_with_their_data(category: Category, topic: str) -> None:
    written = {row[0].removeprefix("#"): row[2] for row in table(PROTOCOL, "element") if topic in row[1].split(", ")}
    a_class = await hold(category)
    socket = await (sit(a_class.session, a_class.seats[0]) if topic == "class" else watch(a_class, topic))
    frame = await socket.frame()
    assert sorted(ids_of(frame)) == sorted(written)
    for name, described in written.items():
        assert data_of(frame, name).keys() >= {word.removeprefix("data-") for word in re.findall(r"data-\w+", described)}


async def test_an_answer_is_stored_and_told_to_the_seat_alone(category: Category) -> None:
    a_class = await hold(category)
    phone, laptop = [await sit(a_class.session, a_class.seats[0]) for _ in range(2)]
    other = await sit(a_class.session, a_class.seats[1])
    for socket in (phone, laptop, other):
        await socket.frame()
    card = await sync_to_async(lambda: a_class.card)()
    await answer(phone, card, "machine")
    for socket in (phone, laptop):
        frame = await socket.frame()
        assert ids_of(frame) == ["mine", "trouble"]
        assert data_of(frame, "mine")["verdict"] == "machine"
        assert data_of(frame, "trouble") == {"code": ""}
    # The next look changes nothing, for nobody.
    await sync_to_async(announce_class)(code=a_class.code)
    await settle()
    for socket in (phone, laptop, other):
        assert await socket.receive_nothing()
    stored = await sync_to_async(lambda: list(Answer.objects.values_list("seat__token", "verdict")))()
    assert stored == [(a_class.seats[0].token, "machine")]


async def test_the_first_verdict_counts_and_is_what_a_second_one_and_a_new_connection_are_told(category: Category) -> None:
    a_class = await hold(category)
    socket = await sit(a_class.session, a_class.seats[0])
    await socket.frame()
    card = await sync_to_async(lambda: a_class.card)()
    await answer(socket, card, "human")
    await socket.frame()
    await answer(socket, card, "machine")
    assert data_of(await socket.frame(), "mine")["verdict"] == "human"
    again = await sit(a_class.session, a_class.seats[0])
    assert data_of(await again.frame(), "mine")["verdict"] == "human"
    assert await sync_to_async(Answer.objects.count)() == 1


async def test_the_teacher_sees_how_many_have_answered_and_the_last_one_turns_the_card(category: Category) -> None:
    a_class = await hold(category, silent=0)
    host, students = await watch(a_class, "class-host"), [await sit(a_class.session, each) for each in a_class.seats]
    card = await sync_to_async(lambda: a_class.card)()
    assert "<strong>0</strong> of 2 answered" in await host.frame()
    for socket in students:
        await socket.frame()
    await answer(students[0], card, "human")
    await students[0].frame()
    assert "<strong>1</strong> of 2 answered" in await host.frame()
    assert await students[1].receive_nothing()
    await answer(students[1], card, "machine")
    for socket in students:
        frames = [await socket.frame()]
        while data_of(frames[-1], "stage").get("phase") != "reveal":
            frames.append(await socket.frame())
        assert len(frames) <= 2


async def test_answers_that_do_not_count_are_told_so_by_a_code(category: Category) -> None:
    a_class = await hold(category)
    socket = await sit(a_class.session, a_class.seats[0])
    await socket.frame()
    card = await sync_to_async(lambda: a_class.card)()
    later = await sync_to_async(lambda: a_class.session.cards.get(position=2).token)()

    async def code_of(card: str) -> str:
        await answer(socket, card, "human")
        frame = await socket.frame()
        assert ids_of(frame) == ["trouble"]
        return data_of(frame, "trouble")["code"]

    assert await code_of(later) == "wrong-card"
    assert await code_of("a" * 22) == "wrong-card"
    await sync_to_async(a_class.press)("next")
    assert data_of(await socket.frame(), "stage")["phase"] == "reveal"
    assert await code_of(card) == "late"
    assert await sync_to_async(Answer.objects.count)() == 0


def write_card(a_class: Held) -> None:
    ClassSession.objects.filter(code=a_class.code).update(mode="write")
    text = ClassText.objects.create(session=a_class.session, seat=a_class.seats[0], body="Mine, all of it.", status="approved")
    ClassCard.objects.filter(session=a_class.session, position=1).update(tweet=None, text=text)


async def test_nobody_guesses_an_own_text(category: Category) -> None:
    a_class = await hold(category)
    await sync_to_async(write_card)(a_class)
    author, other = [await sit(a_class.session, each) for each in a_class.seats[:2]]
    assert "data-own" in await author.frame()
    assert "data-own" not in await other.frame()
    card = await sync_to_async(lambda: a_class.card)()
    await answer(author, card, "human")
    assert data_of(await author.frame(), "trouble")["code"] == "not-yours"
    await answer(other, card, "machine")
    assert data_of(await other.frame(), "mine")["verdict"] == "machine"


async def test_while_the_database_is_away_an_answer_is_to_be_sent_again(category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    a_class = await hold(category)
    socket = await sit(a_class.session, a_class.seats[0])
    await socket.frame()
    card = await sync_to_async(lambda: a_class.card)()

    def be_away(**kwargs: object) -> None:
        raise OperationalError("the server closed the connection unexpectedly")

    with monkeypatch.context() as away:
        away.setattr(desk, "store_answers", be_away)
        await answer(socket, card, "human")
        frame = await socket.frame()
    assert data_of(frame, "trouble")["code"] == "try-again"
    await answer(socket, card, "human")
    assert data_of(await socket.frame(), "mine")["verdict"] == "human"


async def test_an_answer_is_stored_while_redis_is_away(category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    a_class = await hold(category)
    socket = await sit(a_class.session, a_class.seats[0])
    await socket.frame()
    card = await sync_to_async(lambda: a_class.card)()

    async def be_away(*args: object) -> None:
        raise ConnectionError("Redis is away")

    monkeypatch.setattr("channels_redis.pubsub.RedisPubSubLoopLayer.group_send", be_away)
    await answer(socket, card, "human")
    assert data_of(await socket.frame(), "mine")["verdict"] == "human"
    assert await sync_to_async(Answer.objects.count)() == 1


async def test_news_that_were_lost_are_seen_all_the_same(category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "CATCH_UP_SECONDS", 0.3)
    a_class = await hold(category)
    socket = await sit(a_class.session, a_class.seats[0])
    await socket.frame()
    monkeypatch.setattr("game.classroom.services.announce", lambda **kwargs: None)
    await sync_to_async(a_class.press)("next")
    assert data_of(await socket.frame(), "stage")["phase"] == "reveal"


async def test_a_room_moves_on_a_class_whose_time_is_up(category: Category) -> None:
    a_class = await hold(category)
    past = timezone.now() - timedelta(seconds=10)
    await sync_to_async(ClassSession.objects.filter(code=a_class.code).update)(deadline=past)
    socket = await sit(a_class.session, a_class.seats[0])
    assert data_of(await socket.frame(), "stage")["phase"] == "reveal"


async def test_a_student_who_was_sent_out_is_put_out_and_the_others_stay(category: Category) -> None:
    a_class = await hold(category)
    out, other = [await sit(a_class.session, each) for each in a_class.seats[:2]]
    await out.frame()
    await other.frame()
    await sync_to_async(kick)(seat=a_class.seats[0], now=timezone.now())
    assert await out.close_code() == 4403
    assert await other.receive_nothing()
    assert await (await sit(a_class.session, a_class.seats[0])).close_code() == 4403


async def test_an_answer_of_a_student_who_was_sent_out_ends_the_connection(category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    a_class = await hold(category)
    socket = await sit(a_class.session, a_class.seats[0])
    await socket.frame()
    monkeypatch.setattr("game.classroom.services.announce", lambda **kwargs: None)
    await sync_to_async(kick)(seat=a_class.seats[0], now=timezone.now())
    await answer(socket, await sync_to_async(lambda: a_class.card)(), "human")
    assert await socket.close_code() == 4403
    assert await sync_to_async(Answer.objects.count)() == 0


async def test_only_those_with_a_seat_watch_as_students(category: Category) -> None:
    a_class = await hold(category)
    teacher = await sync_to_async(cookie_of)("teacher")
    elsewhere = cookie_of_seat(ClassSession(code="XXXXXX"), a_class.seats[0])
    for cookie in ("", teacher, elsewhere, "seat=forged:1abcde:signature"):
        assert await (await join(f"/live/class/{a_class.code}/", cookie=cookie)).close_code() == 4403


async def test_there_is_no_room_without_a_class_or_for_one_that_is_not_in_step(category: Category) -> None:
    a_class = await hold(category)
    gone = ClassSession(code="XXXXXX")
    assert await (await join("/live/class/XXXXXX/", cookie=cookie_of_seat(gone, a_class.seats[0]))).close_code() == 4404

    def homework() -> tuple[ClassSession, str]:
        now = timezone.now()
        session = hold_class([category], now=now, mode="homework", card_time=None, deadline=now + timedelta(days=1), seed=9)
        return session, cookie_of_seat(session, seat(session, 1, now=now)[0])

    session, cookie = await sync_to_async(homework)()
    assert await (await join(f"/live/class/{session.code}/", cookie=cookie)).close_code() == 4404


async def test_a_class_that_is_deleted_ends_its_connections(category: Category) -> None:
    a_class = await hold(category)
    socket, host = await sit(a_class.session, a_class.seats[0]), await watch(a_class, "class-host")
    await socket.frame()
    await host.frame()
    await sync_to_async(ClassSession.objects.filter(code=a_class.code).delete)()
    await answer(socket, "a" * 22, "human")
    assert await socket.close_code() == 4404
    await sync_to_async(announce_class)(code=a_class.code)
    assert await host.close_code() == 4404


@pytest.mark.parametrize("topic", ["class-host", "class-presenter"])
async def test_only_the_teacher_of_a_class_watches_its_host_and_presenter(category: Category, topic: str) -> None:
    a_class = await hold(category)

    def hire() -> None:
        User.objects.create(username="colleague").groups.add(Group.objects.get(name="teacher"))

    await sync_to_async(hire)()
    for name in ("anonymous", "ada", "moderator", "colleague"):
        assert await (await watch(a_class, topic, name)).close_code() == 4403
    student = await join(f"/live/{topic}/{a_class.code}/", cookie=cookie_of_seat(a_class.session, a_class.seats[0]))
    assert await student.close_code() == 4403
    # That there is no such class is not told either.
    teacher = await sync_to_async(cookie_of)("teacher")
    assert await (await join(f"/live/{topic}/XXXXXX/", cookie=teacher)).close_code() == 4403
    assert data_of(await (await watch(a_class, topic)).frame(), "stage")["phase"] == "card"


async def test_who_may_no_longer_hold_classes_watches_none(category: Category) -> None:
    a_class = await hold(category)
    await sync_to_async(lambda: User.objects.get(username="teacher").groups.clear())()
    assert await (await watch(a_class, "class-host")).close_code() == 4403


@pytest.mark.parametrize("topic", ["class-host", "class-presenter"])
async def test_pages_of_the_teacher_send_no_frames(category: Category, topic: str) -> None:
    a_class = await hold(category)
    socket = await watch(a_class, topic)
    await socket.frame()
    await answer(socket, await sync_to_async(lambda: a_class.card)(), "human")
    assert await socket.close_code() == 4400


@pytest.mark.parametrize("frames_of", [frames.student_frames, frames.host_frames, frames.presenter_frames])
def test_no_frame_tells_the_truth_before_the_reveal(category: Category, frames_of: Callable[..., topics.Frames]) -> None:
    a_class = Held(category, 2)

    def show() -> tuple[str, dict[str, str]]:
        session = find_session(a_class.code)
        assert session
        found = frames_of(session=session)
        return found.shared, dict(found.personal)

    def forge(kind: str) -> None:
        """Have the other kind of author written the tweet on the table."""
        tweet = a_class.session.cards.get(position=1).tweet
        assert tweet
        author = Author.objects.filter(kind=kind).first()
        Tweet.objects.filter(pk=tweet.pk).update(author=author, kind=kind)

    forge(Kind.HUMAN)
    as_human = show()
    forge(Kind.MACHINE)
    assert show() == as_human
    a_class.press("next")
    as_machine = show()
    forge(Kind.HUMAN)
    assert show() != as_machine


def test_many_students_cost_no_more_statements_and_renderings_than_a_few(category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[str] = []
    render = frames.render_to_string

    def note(name: str, context: dict[str, Any]) -> str:
        rendered.append(name)
        return render(name, context)

    monkeypatch.setattr(frames, "render_to_string", note)

    def cost(students: int, seed: int) -> tuple[int, list[str]]:
        now = timezone.now()
        session = press_to_standings(hold_class([category], now=now, seed=seed), students)
        rendered.clear()
        with CaptureQueriesContext(connections["default"]) as queries:
            found = find_session(session.code)
            assert found
            shown = frames.student_frames(session=found)
        assert len(shown.personal) == students
        return len(queries), list(rendered)

    def press_to_standings(session: ClassSession, students: int) -> ClassSession:
        seat(session, students, now=timezone.now())
        return press(session, "start", "next", "next", now=timezone.now())

    assert cost(20, seed=2) == cost(4, seed=1)
