"""Where answers are handed in: those that come while some are being stored make up the next batch."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from channels.db import database_sync_to_async

from game.classroom import frames
from game.classroom.answers import GivenAnswer, Outcome, store_answers
from game.classroom.models import ClassSession
from game.classroom.selectors import find_session
from game.live.topics import Reply, RoomClosed, new_moment

Given = TypeVar("Given")
Done = TypeVar("Done")


class Desk(Generic[Given, Done]):
    """Work that is cheaper for many at once. It has no timer: who comes alone waits for nobody, and who comes in a crowd for one batch."""

    def __init__(self, work: Callable[[Sequence[Given]], Awaitable[Sequence[Done]]]) -> None:
        self._work = work
        self._waiting: list[tuple[Given, asyncio.Future[Done]]] = []
        self._task: asyncio.Task[None] | None = None

    async def hand_in(self, given: Given) -> Done:
        """Return what the work made of `given`, or raise what the work on its batch raised."""
        done: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self._waiting.append((given, done))
        if self._task is None:
            # Of its own: should one who waits go away, the batch is stored all the same.
            self._task = asyncio.create_task(self._run())
        return await done

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            [results] = await asyncio.gather(self._work([given for given, _ in batch]), return_exceptions=True)
            for number, (_, done) in enumerate(batch):
                if done.done():
                    continue
                if isinstance(results, BaseException):
                    done.set_exception(results)
                else:
                    done.set_result(results[number])
        self._task = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an answer, and what its student's page shows of it now."""

    outcome: Outcome
    reply: Reply


# Per event loop: the desk of each class, for as long as somebody stands there.
_desks: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[str, Desk[GivenAnswer, Receipt]]] = WeakKeyDictionary()


async def hand_in(*, code: str, answer: GivenAnswer) -> Receipt:
    """Store an answer in the class with this code, together with those that wait; raises RoomClosed if there is no such class.

    Raises OperationalError or InterfaceError while the database is away: then it may be stored or not, and is to be handed in again.
    """
    desks = _desks.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
    desk = desks.get(code)
    if desk is None:
        desk = desks[code] = Desk(lambda answers: _store(code, answers))
    return await desk.hand_in(answer)


@database_sync_to_async
def _store(code: str, answers: Sequence[GivenAnswer]) -> Sequence[Receipt]:
    session_id = ClassSession.objects.filter(code=code).values_list("pk", flat=True).first()
    if session_id is None:
        raise RoomClosed
    outcomes = store_answers(session_id=session_id, answers=answers)
    moment = new_moment()
    session = find_session(code)
    if session is None:
        raise RoomClosed
    parts = frames.own_parts(session=session, tokens=[answer.seat_token for answer in answers])
    # What was wrong with an earlier try is over.
    well = frames.render_trouble("")
    replies = [Reply(parts.get(answer.seat_token, ""), moment, well) for answer in answers]
    return [Receipt(outcome, reply) for outcome, reply in zip(outcomes, replies, strict=True)]
