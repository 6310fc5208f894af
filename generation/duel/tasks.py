"""Answers to prompts by Celery: whoever asks sends a column, a clock sends those that were lost, workers answer."""

import logging

from celery import shared_task
from django.db import InterfaceError, OperationalError

from generation.claims import LostClaimError
from generation.duel import columns

logger = logging.getLogger(__name__)

# PostgreSQL may be away for half a minute; what is lost after that the clock finds when a lease is over.
RETRY_SECONDS, RETRIES = 3, 10


@shared_task
def keep_duels_going() -> None:
    columns.send(columns=columns.take_back_abandoned())


# Where PostgreSQL is away even before the claim no row tells the clock to send it soon. With a claim this is a message too many, at worst.
@shared_task(autoretry_for=(OperationalError, InterfaceError), default_retry_delay=RETRY_SECONDS, max_retries=RETRIES)
def complete_column(column_id: int) -> None:
    try:
        column = columns.complete_column(column_id=column_id)
    except LostClaimError as error:
        logger.info("%s", error)
        return
    if column:
        logger.info("column %d: %d samples by %s", column.pk, column.made, column.model_version)
