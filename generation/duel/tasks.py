"""Answers to prompts by Celery: whoever asks sends a column, a clock sends those that were lost, workers answer."""

import logging

from celery import shared_task

from generation.claims import LostClaimError
from generation.duel import columns

logger = logging.getLogger(__name__)


@shared_task
def keep_duels_going() -> None:
    columns.send(columns=columns.take_back_abandoned())


@shared_task
def complete_column(column_id: int) -> None:
    try:
        column = columns.complete_column(column_id=column_id)
    except LostClaimError as error:
        logger.info("%s", error)
        return
    if column:
        logger.info("column %d: %d samples by %s", column.pk, column.made, column.model_version)
