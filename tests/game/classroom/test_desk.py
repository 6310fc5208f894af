"""Where answers are handed in: batches without a timer, and what each who waits is told."""

import asyncio
from collections.abc import Sequence

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError
from django.utils import timezone

from game.classroom import desk
from game.classroom.answers import Code, GivenAnswer, Outcome, store_answers
from game.classroom.desk import Desk, hand_in
from game.classroom.models import Answer
from game.live.topics import RoomClosed
from game.pool.models import Category, Kind
from tests.game.classroom.live import Held, data_of, hold


class Slow:
    """Work that waits to be let through; it doubles numbers, and fails at 13."""

    def __init__(self) -> None:
        self.batches: list[Sequence[int]] = []
        self.gate = asyncio.Event()

    async def __call__(self, batch: Sequence[int]) -> Sequence[int]:
        self.batches.append(batch)
        await self.gate.wait()
        if 13 in batch:
            raise OperationalError("an unlucky number")
        return [2 * number for number in batch]


async def hand_in_all(desk: Desk[int, int], numbers: Sequence[int]) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(desk.hand_in(number)) for number in numbers]
    await asyncio.sleep(0.01)
    return tasks


async def test_who_comes_together_is_one_batch_and_who_comes_meanwhile_the_next() -> None:
    slow = Slow()
    desk = Desk(slow)
    tasks = await hand_in_all(desk, [1, 2, 3])
    tasks += await hand_in_all(desk, [4])
    tasks += await hand_in_all(desk, [5, 6])
    assert slow.batches == [[1, 2, 3]]
    slow.gate.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10, 12]
    assert slow.batches == [[1, 2, 3], [4, 5, 6]]
    assert await desk.hand_in(7) == 14


async def test_all_of_a_batch_that_failed_are_told_and_the_next_goes_well() -> None:
    slow = Slow()
    desk = Desk(slow)
    unlucky = await hand_in_all(desk, [12, 13])
    lucky = await hand_in_all(desk, [14])
    slow.gate.set()
    assert [type(error) for error in await asyncio.gather(*unlucky, return_exceptions=True)] == [OperationalError, OperationalError]
    assert await lucky[0] == 28


async def test_what_was_handed_in_is_stored_although_whoever_did_has_gone() -> None:
    slow = Slow()
    desk = Desk(slow)
    first, second = await hand_in_all(desk, [1, 2])
    first.cancel()
    slow.gate.set()
    assert await second == 4
    assert slow.batches == [[1, 2]]
    with pytest.raises(asyncio.CancelledError):
        await first


class TestOfAClass:
    pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis", "closed_connections")]

    async def hand_in_by(self, a_class: Held, numbers: Sequence[int], verdicts: Sequence[str]) -> list[desk.Receipt]:
        card, now = await sync_to_async(lambda: a_class.card)(), timezone.now()
        tokens = [a_class.seats[number].token for number in numbers]
        given = [GivenAnswer(token, card, verdict, now) for token, verdict in zip(tokens, verdicts, strict=True)]
        return await asyncio.gather(*(hand_in(code=a_class.code, answer=answer) for answer in given))

    async def test_answers_at_once_are_stored_in_one_go_and_each_is_told_its_own(
        self, category: Category, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        batches: list[int] = []

        def store(*, session_id: int, answers: Sequence[GivenAnswer]) -> list[Outcome]:
            batches.append(len(answers))
            return store_answers(session_id=session_id, answers=answers)

        monkeypatch.setattr(desk, "store_answers", store)
        a_class = await hold(category, 30)
        verdicts = ["human", "machine", "human"] * 10
        receipts = await self.hand_in_by(a_class, range(30), verdicts)
        assert batches == [30]
        assert [receipt.outcome for receipt in receipts] == [Outcome(Code.KEPT, verdict) for verdict in verdicts]
        assert [data_of(receipt.reply.personal, "mine")["verdict"] for receipt in receipts] == verdicts
        assert await sync_to_async(Answer.objects.count)() == 30

    async def test_of_two_answers_of_a_seat_in_one_batch_the_first_counts(self, category: Category) -> None:
        a_class = await hold(category)
        receipts = await self.hand_in_by(a_class, [0, 0], ["machine", "human"])
        assert [receipt.outcome for receipt in receipts] == [Outcome(Code.KEPT, "machine"), Outcome(Code.KNOWN, "machine")]

    async def test_what_the_last_answer_brings_is_in_what_its_student_is_told(self, category: Category) -> None:
        a_class = await hold(category, 1, silent=0)
        kind = await sync_to_async(lambda: a_class.session.cards.select_related("tweet__author").get(position=1).kind)()
        receipt = (await self.hand_in_by(a_class, [0], [kind]))[0]
        assert f"It was a {'person' if kind == Kind.HUMAN else 'bot'}." in receipt.reply.personal

    async def test_classes_have_desks_of_their_own_which_end_with_their_work(self, category: Category) -> None:
        a_class = await hold(category)
        await self.hand_in_by(a_class, [0, 1], ["human", "human"])
        await asyncio.sleep(0)
        assert list(desk._desks[asyncio.get_running_loop()]) == []

    async def test_nothing_can_be_handed_in_where_no_class_is(self) -> None:
        with pytest.raises(RoomClosed):
            await hand_in(code="XXXXXX", answer=GivenAnswer("a" * 22, "b" * 22, "human", timezone.now()))
