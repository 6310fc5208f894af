"""Transactions of a class: how it begins, moves on, and whom the teacher sends out."""

import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from celery import current_app
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet
from kombu.exceptions import OperationalError as BrokerAway

from game.accounts.models import Player
from game.classroom import rules
from game.classroom.cards import deal_cards, replace_tweet
from game.classroom.models import Answer, ClassSession, Seat
from game.classroom.writing import ask_models, deal_texts
from game.live.services import announce
from game.pool.models import Category

logger = logging.getLogger(__name__)

# Topics: who hears of a change.
STUDENTS, HOST, PRESENTER = "class", "class-host", "class-presenter"
EVERYBODY = (STUDENTS, HOST, PRESENTER)
TEACHER = (HOST, PRESENTER)
TASK = "game.classroom.tasks.expire"
# A message that waited so long after its time has nothing left to do: the clock has found its class.
STALE_SECONDS = 60
_CODES = 8
# Django has no words for a lock that many may hold at once.
_HOLD = "SELECT * FROM classroom_classsession WHERE id = %s FOR SHARE"
_rng = random.SystemRandom()


def announce_class(*, code: str, audiences: Sequence[str] = EVERYBODY) -> None:
    """Tell those who watch the class that it changed, once that is committed."""
    for topic in audiences:
        transaction.on_commit(partial(announce, topic=topic, keys=(code,)))


def hold_still(*, session_id: int) -> ClassSession | None:
    """Return the session, which nobody moves on, deletes, or sends somebody out of, until the caller's transaction ends; None of none."""
    return next(iter(ClassSession.objects.raw(_HOLD, [session_id])), None)


@transaction.atomic
def create_session(
    *,
    teacher: User | None,
    mode: str,
    title: str,
    categories: Sequence[Category],
    cards: int,
    card_time: timedelta | None,
    speed_points: bool,
    show: str,
    late_join: bool,
    typed_names: bool,
    keep_days: int,
    now: datetime,
    rng: random.Random,
    deadline: datetime | None = None,
    writing_time: timedelta | None = None,
    prompt: str = "",
    player: Player | None = None,
) -> ClassSession:
    """Create a session in its lobby, with `cards` cards of `categories`; those of `write`, so many at most, come of what is written.

    It deletes itself `keep_days` after `now`, a homework so long after its deadline. Raises NotEnoughTweets.
    """
    session = _create(
        rng,
        teacher=teacher,
        player=player,
        mode=mode,
        title=title,
        card_time=card_time,
        writing_time=writing_time,
        prompt=prompt,
        speed_points=speed_points,
        show=show,
        late_join=late_join,
        typed_names=typed_names,
        deadline=deadline,
        card_limit=cards if mode == ClassSession.Mode.WRITE else 0,
        delete_at=max(now, deadline or now) + timedelta(days=keep_days),
    )
    session.categories.set(categories)
    if mode != ClassSession.Mode.WRITE:
        deal_cards(session=session, categories=categories, count=cards, now=now, rng=rng)
    return _sessions().get(pk=session.pk)


def _create(rng: random.Random, **fields: Any) -> ClassSession:
    """Create a session under a code that no other has."""
    for attempt in range(_CODES):
        try:
            with transaction.atomic():
                return ClassSession.objects.create(code=rules.new_code(rng), **fields)
        except IntegrityError:
            # Of 148 million codes two were the same; anything else is wrong every time.
            if attempt == _CODES - 1:
                raise
    raise AssertionError


def _sessions() -> QuerySet[ClassSession]:
    """Return sessions whose `state` is complete."""
    return ClassSession.objects.annotate(card_count=Count("cards"))


def act(*, session_id: int, action: rules.Action, version: int, now: datetime) -> ClassSession | None:
    """Apply `action` to the session if it is still at `version`, and return it as it is then; None where that is late, or illegal.

    Of two at once one wins. Cards that enter show a tweet that is in the game; one for which there is none is passed over.
    """
    with transaction.atomic():
        session = _sessions().filter(pk=session_id, version=version).first()
        if session is None:
            return None
        if session.phase == rules.Phase.CHOOSING and action == rules.Action.NEXT and deal_texts(session=session, rng=_rng):
            # Its cards are what had been approved by now.
            session = _sessions().get(pk=session_id)
        before = session.state
        after = rules.apply(before, rules.Action(action), session.chosen, now)
        if after is None or not _move(session, after, now):
            return None
        if after.phase == rules.Phase.WRITING and before.phase == rules.Phase.LOBBY:
            ask_models(session=session)
        if action == rules.Action.SKIP:
            session.cards.filter(position=before.position).update(skipped=True)
        while after.phase == rules.Phase.CARD and after.position > before.position and not _is_ready(session, now):
            passed = rules.apply(after, rules.Action.SKIP, session.chosen, now)
            assert passed, "a card can always be skipped"
            after = passed
            _move(session, after, now)
        announce_class(code=session.code)
        _schedule_expiry(session, now)
    return session


def _move(session: ClassSession, state: rules.State, now: datetime) -> bool:
    """Put the session into `state` if nobody else has moved it since it was read; say whether that was so."""
    fields: dict[str, Any] = {
        "phase": state.phase,
        "position": state.position,
        "version": state.version,
        "given": state.given,
        "deadline": state.deadline,
        "left": state.left,
        "locked": state.locked,
        "ended_at": now if state.phase == rules.Phase.PODIUM else None,
    }
    if state.phase == rules.Phase.PODIUM and not session.is_in_step and session.deadline and session.deadline > now:
        # It is kept for so long from the day it closes.
        fields["delete_at"] = session.delete_at - (session.deadline - now)
    if not ClassSession.objects.filter(pk=session.pk, version=session.version).update(**fields):
        return False
    for name, value in fields.items():
        setattr(session, name, value)
    return True


def _is_ready(session: ClassSession, now: datetime) -> bool:
    """Say whether the card on the table can be shown, once its tweet was replaced if it left the game."""
    card = session.cards.get(position=session.position)
    return replace_tweet(card=card, now=now, rng=_rng) is not None


def _schedule_expiry(session: ClassSession, now: datetime) -> None:
    """Have a worker move the session on when its time is up. What comes late or not at all, the clock does, or whoever asks first."""
    if session.deadline is None:
        return
    countdown = max((session.deadline + rules.GRACE - now).total_seconds(), 0.0)
    # Redis would hand what waits longer to one worker after another.
    if countdown < settings.VISIBILITY_TIMEOUT:
        transaction.on_commit(partial(_send, session.pk, session.version, countdown))


def _send(session_id: int, version: int, countdown: float) -> None:
    try:
        current_app.send_task(TASK, [session_id, version], countdown=countdown, expires=countdown + STALE_SECONDS, retry=False)
    except (BrokerAway, OSError) as error:
        logger.warning("Class %d waits for the clock: Redis is away (%s).", session_id, error)


def move_on_if_due(*, session: ClassSession, now: datetime) -> ClassSession:
    """Return the session as it is at `now`: moved on if the time of its phase is up, whoever noticed first."""
    if not rules.is_due(session.state, now):
        return session
    moved = act(session_id=session.pk, action=rules.Action.EXPIRE, version=session.version, now=now)
    return moved or _sessions().get(pk=session.pk)


def move_on_what_is_due(*, now: datetime) -> None:
    """Move on all sessions the time of whose phase is up."""
    for session in _sessions().filter(deadline__lte=now - rules.GRACE):
        move_on_if_due(session=session, now=now)


def move_on_if_answered(*, session_id: int, now: datetime) -> None:
    """Turn the card on the table if everybody who may has answered it; not while the class is paused."""
    while (session := _sessions().filter(pk=session_id, phase=rules.Phase.CARD, left=None).first()) and _is_answered(session):
        # Another change may have come before; the card is asked about again then.
        if act(session_id=session_id, action=rules.Action.NEXT, version=session.version, now=now):
            return


def _is_answered(session: ClassSession) -> bool:
    card = session.cards.select_related("text").get(position=session.position)
    answers = Answer.objects.filter(card=card)
    waiting = session.seats.filter(kicked_at=None).exclude(pk__in=answers.values("seat"))
    if card.text and card.text.seat_id:
        # Whoever wrote it does not guess.
        waiting = waiting.exclude(pk=card.text.seat_id)
    return answers.exists() and not waiting.exists()


def kick(*, seat: Seat, now: datetime) -> bool:
    """Send a student out of the class; say whether that was news."""
    with transaction.atomic():
        # Answers come in before this, or not at all.
        session = ClassSession.objects.select_for_update(no_key=True).get(pk=seat.session_id)
        if not Seat.objects.filter(pk=seat.pk, kicked_at=None).update(kicked_at=now):
            return False
        announce_class(code=session.code)
    move_on_if_answered(session_id=session.pk, now=now)
    return True
