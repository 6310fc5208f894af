"""Pre-generation by Celery: a clock plans, workers write."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.utils import timezone

from generation import services

logger = logging.getLogger(__name__)


@shared_task
def keep_pool_ready() -> None:
    for batch_id in services.keep_pool_ready(now=timezone.now()):
        run_batch.delay(batch_id)


@shared_task
def run_batch(batch_id: int) -> None:
    batch = services.run_batch(batch_id=batch_id, now=timezone.now())
    if batch:
        logger.info("batch %d: %d kept of %d samples for %s", batch.pk, batch.kept, batch.made, batch.model_version)


@worker_ready.connect
def fill_at_once(**_signal: Any) -> None:
    """Spare the first player the wait for the clock's first tick."""
    keep_pool_ready.delay()
