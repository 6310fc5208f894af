"""Columns as jobs: asked of every model once, sent to a worker, claimed, answered, and taken back where a worker died."""

import logging
from collections.abc import Iterable
from datetime import timedelta

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as BrokerAway

from game.live.services import announce
from generation.batches import announce_page
from generation.claims import FAILED, MAX_TRIES, PENDING, RUNNING, UNFINISHED, Claim, claim_job, lease
from generation.duel.models import Column, Completion, Prompt
from generation.duel.mood import compounds
from generation.duel.rules import mood_of
from generation.duel.writing import Answers, complete
from generation.loading import load_writer
from generation.models import ModelVersion
from generation.workers import at_work, here

logger = logging.getLogger(__name__)

# The live topic of a prompt's page, and the task that answers a column (named, since tasks stand above services).
DUEL = "duel"
TASK = "generation.duel.tasks.complete_column"
# Somebody waits: a try that died is followed by the next at the clock's next tick.
PAUSE = timedelta(seconds=2)
# A failed column is tried anew when its prompt is asked again, but not sooner.
REST = timedelta(minutes=10)


def active_models() -> "QuerySet[ModelVersion]":
    """Return the models that answer prompts: one for each category that is shown to players."""
    return ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE, category__active=True)


def add_columns(*, prompt: Prompt, models: "QuerySet[ModelVersion] | None" = None) -> None:
    """Ask every active model, or those of `models`, that was not asked yet, and those again that failed a while ago.

    To be called in a transaction.
    """
    models = active_models() if models is None else models
    wanted = [Column(prompt=prompt, model_version=model, lease_until=lease()) for model in models]
    Column.objects.bulk_create(wanted, ignore_conflicts=True)
    failed = Column.objects.filter(prompt=prompt, state=FAILED, finished_at__lt=Now() - REST, model_version__in=models)
    failed.update(state=PENDING, tries=0, error="", finished_at=None, lease_until=lease(), created_at=Now())
    waiting = list(Column.objects.filter(prompt=prompt, state=PENDING, tries=0).values_list("pk", flat=True))
    transaction.on_commit(lambda: send(columns=waiting))


def send(*, columns: Iterable[int]) -> None:
    """Send columns to a worker. Where that fails the clock does it, as soon as it ticks again."""
    columns = list(columns)
    try:
        for pk in columns:
            # By then it is sent again.
            current_app.send_task(TASK, [pk], expires=settings.GENERATION_LEASE_SECONDS, retry=False)
    except (BrokerAway, OSError) as error:
        logger.warning("Columns %s wait for the clock: Redis is away (%s).", columns, error)
        Column.objects.filter(pk__in=columns, state=PENDING).update(lease_until=Now())


def take_back_abandoned() -> list[int]:
    """Take back what workers left and what messages lost; return the columns to send to a worker again.

    What is still asked of a model that is active no more goes, and its successor is asked instead.
    """
    with transaction.atomic():
        obsolete = Column.objects.filter(UNFINISHED).exclude(model_version__in=active_models())
        orphaned = list(Prompt.objects.filter(pk__in=obsolete.values("prompt")))
        obsolete.delete()
        for prompt in orphaned:
            add_columns(prompt=prompt)
        abandoned = Column.objects.filter(UNFINISHED, lease_until__lt=Now())
        hopeless = abandoned.filter(tries__gte=MAX_TRIES)
        changed = set(orphaned) | set(Prompt.objects.filter(pk__in=hopeless.values("prompt")))
        hopeless.filter(error="").update(error=f"Its worker stopped answering, {MAX_TRIES} times.")
        hopeless.update(state=FAILED, finished_at=Now())
        # Locked rows are in other hands just now.
        again = list(abandoned.select_for_update(skip_locked=True).order_by("pk").values_list("pk", flat=True))
        # `claimed_by` stays: a worker that was only slow may still finish first.
        Column.objects.filter(pk__in=again).update(state=PENDING, lease_until=lease())
    announce(topic=DUEL, keys=[prompt.token for prompt in changed])
    return again


def hand_back(*, worker: str, **_signal: object) -> None:
    """Take from a worker that is told to stop what it is at, and send it to another at once; the try does not count."""
    with transaction.atomic():
        held = Column.objects.select_for_update(of=("self",)).filter(state=RUNNING, worker=worker).select_related("prompt")
        tokens = {column.pk: column.prompt.token for column in held}
        Column.objects.filter(pk__in=tokens).update(state=PENDING, tries=F("tries") - 1, claimed_by=None, lease_until=lease())
    send(columns=tokens)
    announce(topic=DUEL, keys=tokens.values())


def complete_column(*, column_id: int) -> Column | None:
    """Have a column's model complete its prompt, and store that once; None if the column is over or somebody else's.

    Raises UnusableModelError, BackendError, LostClaimError.
    """
    # Not by a join: see claim_job.
    asked = Column.objects.filter(model_version__in=ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE))
    claim = claim_job(asked, pk=column_id, pause=PAUSE, started_at=Now(), worker=here())
    if claim is None:
        return None
    column = Column.objects.select_related("prompt", "model_version__category").get(pk=column_id)
    model = column.model_version
    announce(topic=DUEL, keys=[column.prompt.token])
    announce_page()
    try:
        with claim, at_work(f"Answering a prompt as {model}"):
            answers = complete(
                writer=load_writer(model),
                settings=model.sampling,
                language=model.category.language,
                prompt=column.prompt.text,
                after_chunk=claim.renew,
            )
            _store(claim, answers, language=model.category.language)
    finally:
        announce(topic=DUEL, keys=[column.prompt.token])
        announce_page()
    column.refresh_from_db()
    return column


def _store(claim: Claim[Column], answers: Answers, *, language: str) -> None:
    scores = compounds(answers.kept, language=language)
    completions = [
        Completion(column=claim.job, place=place, text=text, compound=score, mood="" if score is None else mood_of(score), unfit=unfit)
        for place, (text, score, unfit) in enumerate(zip(answers.kept, scores, answers.unfit, strict=True))
    ]
    with transaction.atomic():
        claim.finish(made=answers.made, dropped={reason: count for reason, count in answers.dropped.most_common() if count})
        Completion.objects.bulk_create(completions)
