"""Transactions of the duel: prompts are asked once, visits counted, completions reported, hidden, and sent to the pool."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Count
from django.db.models.functions import Now

from game.accounts.models import Player
from game.accounts.services import create_guest
from game.live.services import announce
from game.pool.models import Status
from game.pool.services import NewTweet, add_tweets
from generation.claims import UNFINISHED
from generation.duel.columns import DUEL, REST, active_models, add_columns
from generation.duel.models import Column, Completion, CompletionReport, Prompt
from generation.duel.rules import BadPrompt as BadPrompt
from generation.duel.rules import clean_prompt, prompt_key
from generation.duel.selectors import SHOWN, arrange_duel, read_duel

logger = logging.getLogger(__name__)

# So many people's reports hide a completion until a moderator looks.
REPORTS_THAT_HIDE = 3
# Any constant that no other advisory lock of this database uses.
_WAITING_LOCK = 0x6475656C


class Crowded(Exception):
    """As many prompts wait as may, or no model is there to answer; the message says so."""


class TooMany(Exception):
    """This visitor has asked too many new prompts."""


class NotSendable(Exception):
    """A completion can't go to the pool; the message says why."""


# One statement: what it costs to ask and to wait for a second one is more than what that would do.
# The count need not survive a crash of the server: nobody waits for it to reach the disk.
_VISIT = """
    WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
         p AS (UPDATE duel_prompt SET visits = visits + 1 FROM quick WHERE {field} = %s RETURNING duel_prompt.*)
    SELECT {shown} FROM p
"""


def ask(*, text: str, allow_new: Callable[[], bool]) -> dict[str, Any]:
    """Return what `read_duel` does of the prompt that was typed, known or new; the same one whoever asks, however many at once.

    Whether the visitor may ask anything new is asked only then. Raises BadPrompt, TooMany, Crowded.
    """
    text = clean_prompt(text)
    key = prompt_key(text)
    if known := _visit("key", key):
        return known
    if not allow_new():
        raise TooMany
    with transaction.atomic():
        has_room = _has_room()
        # Whoever asked the same meanwhile has done so by now.
        if not Prompt.objects.filter(key=key).exists():
            if not has_room:
                raise Crowded("Many prompts wait for an answer just now.")
            if not active_models().exists():
                raise Crowded("No model is there yet to answer new prompts.")
            add_columns(prompt=Prompt.objects.create(text=text, key=key))
    asked = _visit("key", key)
    assert asked
    return asked


def visit(*, token: str) -> dict[str, Any] | None:
    """Count a visit and return what `read_duel` does; ask the models that became active since, or that failed a while ago."""
    return _visit("token", token)


def _visit(field: str, value: str) -> dict[str, Any] | None:
    with connection.cursor() as cursor:
        cursor.execute(_VISIT.format(field=field, shown=SHOWN), [value, REST.total_seconds()])
        duel = arrange_duel(cursor.fetchone())
    if not duel or not duel["unasked"]:
        return duel
    with transaction.atomic():
        # Else a later visit asks.
        if _has_room():
            add_columns(prompt=duel["prompt"])
    return read_duel(duel["prompt"].token)


def _has_room() -> bool:
    """Say whether one more prompt may wait. Whoever asks next waits for the transaction's end, so that all of them count."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_WAITING_LOCK])
    waiting: int = Column.objects.filter(UNFINISHED).aggregate(prompts=Count("prompt", distinct=True))["prompts"]
    return waiting < settings.DUEL_WAITING


@transaction.atomic
def report_completion(*, token: str, by: UUID | None, reason: str) -> UUID:
    """Note that a player finds a completion unfit, once; return who that was: somebody without a player becomes a guest.

    The third player hides it until a moderator looks; after that reports only tell. Raises Completion.DoesNotExist.
    """
    completion = Completion.objects.select_for_update().get(token=token)
    player = (by and Player.objects.filter(pk=by).first()) or create_guest()
    CompletionReport.objects.get_or_create(completion=completion, player=player, defaults={"reason": reason})
    reports = completion.reports
    if reports.filter(settled=False).count() >= REPORTS_THAT_HIDE and not reports.filter(settled=True).exists():
        _set_hidden(completion, True)
    return player.pk


def hide_completion(*, token: str, by: User | None) -> None:
    """Take a completion off every page, `by` nobody if a command does; raises Completion.DoesNotExist."""
    _settle(token, by, hidden=True)


def restore_completion(*, token: str, by: User) -> None:
    """Show a completion again; raises Completion.DoesNotExist."""
    _settle(token, by, hidden=False)


@transaction.atomic
def _settle(token: str, by: User | None, *, hidden: bool) -> None:
    completion = Completion.objects.select_for_update().get(token=token)
    completion.reports.update(settled=True)
    _set_hidden(completion, hidden)
    logger.info("completion %d was %s by %s", completion.pk, "hidden" if hidden else "shown", by)


def _set_hidden(completion: Completion, hidden: bool) -> None:
    Completion.objects.filter(pk=completion.pk).update(hidden=hidden)
    key = Prompt.objects.values_list("token", flat=True).get(columns=completion.column_id)
    transaction.on_commit(lambda: announce(topic=DUEL, keys=[key]))


@transaction.atomic
def send_to_pool(*, token: str) -> Completion:
    """Put a completion among the tweets that moderators decide on; one that is there stays the one it is.

    Raises NotSendable, Completion.DoesNotExist.
    """
    completion = Completion.objects.select_for_update().get(token=token)
    if completion.hidden or completion.column.prompt.is_withheld:
        raise NotSendable("It was taken out.")
    if completion.unfit:
        raise NotSendable(f"The pool does not take it: {completion.unfit}.")
    if completion.tweet_id is None:
        completion.tweet_id = _add_to_pool(completion)
        completion.save(update_fields=["tweet"])
    return completion


def _add_to_pool(completion: Completion) -> int:
    model, prompt = completion.column.model_version, completion.column.prompt
    sampling = {key: model.sampling[key] for key in ("temperature", "topk", "topp")}
    facts = {"model": model.name, "version": model.version, **sampling, "duel": True, "prompt": prompt.text}
    tweet = NewTweet(author=model.author, text=completion.text, posted_at=completion.created_at, facts=facts)
    (added,) = add_tweets(category=model.category, tweets=[tweet], status=Status.PENDING)
    if added is None:
        raise NotSendable("The pool has this tweet already.")
    return added


def decide_prompt(*, token: str, by: User, approved: bool) -> None:
    """Offer a prompt to others, or not; a moderator may change their mind. Raises Prompt.DoesNotExist."""
    status = Prompt.Status.APPROVED if approved else Prompt.Status.REJECTED
    if not Prompt.objects.filter(token=token).update(status=status, decided_by=by, decided_at=Now()):
        raise Prompt.DoesNotExist
    transaction.on_commit(lambda: announce(topic=DUEL, keys=[token]))


def close_prompt(*, prompt: Prompt, seconds: int) -> None:
    """Have no page show what models answer to a prompt, for so long: who reads it there knows what a class guesses at."""
    Prompt.objects.filter(pk=prompt.pk).update(closed_until=Now() + timedelta(seconds=seconds))
    transaction.on_commit(lambda: announce(topic=DUEL, keys=[prompt.token]))
