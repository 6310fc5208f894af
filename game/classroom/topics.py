"""A class as live topics: for its students, its projector, and its teacher's phone."""

import json
import re
from collections.abc import Callable
from typing import Any

from channels.db import database_sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from game.classroom import desk, frames, services
from game.classroom.answers import Code, GivenAnswer
from game.classroom.identity import seat_token_in
from game.classroom.models import ClassSession
from game.classroom.selectors import find_session
from game.live.identity import cookies_of, user_of
from game.live.topics import Dismissed, Frames, Refused, Reply, RoomClosed
from game.play.rules import TOKEN_PATTERN
from game.pool.models import Kind

PERMISSION = "classroom.hold_class"


class ClassTopic:
    """What students see, and the answers they send. In a room sits who has a seat there."""

    name = services.STUDENTS

    async def admit(self, scope: dict[str, Any], key: str) -> str | None:
        """Return the token of the seat; whether it is still one, the first rendering says."""
        return seat_token_in(cookies_of(scope), key)

    @database_sync_to_async
    def render(self, key: str) -> Frames:
        """Return the class as its students see it; raises RoomClosed for one that is not in step."""
        session = _find_now(key)
        if not session.is_in_step:
            raise RoomClosed
        return frames.student_frames(session=session)

    async def receive(self, key: str, who: str, text: str) -> Reply:
        """Store an answer; raises Refused with a code of frames.TROUBLES."""
        now = timezone.now()
        card, verdict = read_answer(text)
        try:
            receipt = await desk.hand_in(code=key, answer=GivenAnswer(who, card, verdict, now))
        except (OperationalError, InterfaceError) as error:
            raise Refused("try-again") from error
        code = receipt.outcome.code
        if code == Code.NO_SEAT:
            raise Dismissed
        if code not in (Code.KEPT, Code.KNOWN):
            raise Refused(code)
        return receipt.reply

    def explain(self, code: str) -> str:
        """Return what the page says about a refusal."""
        return frames.render_trouble(code)


class TeacherTopic:
    """What a teacher sees of a class of their own."""

    def __init__(self, name: str, frames_of: Callable[[ClassSession], Frames]) -> None:
        self.name, self._frames_of = name, frames_of

    async def admit(self, scope: dict[str, Any], key: str) -> str | None:
        """Let its teacher watch, and nobody else."""
        return frames.TEACHER if await _is_teacher(await user_of(scope), key) else None

    @database_sync_to_async
    def render(self, key: str) -> Frames:
        """Return the class as its teacher sees it."""
        return self._frames_of(_find_now(key))


def read_answer(text: str) -> tuple[str, str]:
    """Return the card and the verdict that a frame names; raises Refused for what is no answer."""
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("bad-frame") from error
    match frame:
        case {"type": "answer", "card": str(card), "verdict": "human" | "machine" as verdict, **rest} if not rest:
            if re.fullmatch(TOKEN_PATTERN, card, re.ASCII):
                return card, Kind(verdict).value
    raise Refused("bad-frame")


def _find_now(code: str) -> ClassSession:
    """Return the class as it is now: whoever looks after its time is up moves it on."""
    session = find_session(code)
    if session is None:
        raise RoomClosed
    return services.move_on_if_due(session=session, now=timezone.now())


@database_sync_to_async
def _is_teacher(user: User | AnonymousUser, code: str) -> bool:
    return user.has_perm(PERMISSION) and ClassSession.objects.filter(code=code, teacher=user.pk).exists()
