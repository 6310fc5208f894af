"""Pre-generation by Celery: a clock plans, workers write."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_init, worker_process_init, worker_ready, worker_shutting_down
from django.conf import settings
from django.utils import timezone

from generation import batches, heartbeat, services, workers
from generation.claims import LostClaimError

logger = logging.getLogger(__name__)


@shared_task
def keep_pool_ready() -> None:
    for batch_id in services.keep_pool_ready(now=timezone.now()):
        # By then it is sent again.
        run_batch.apply_async([batch_id], expires=settings.GENERATION_LEASE_SECONDS)


@shared_task
def run_batch(batch_id: int) -> None:
    try:
        batch = batches.run_batch(batch_id=batch_id, now=timezone.now())
    except LostClaimError as error:
        logger.info("%s", error)
        return
    if batch:
        logger.info("batch %d: %d kept of %d samples for %s", batch.pk, batch.kept, batch.made, batch.model_version)


@worker_init.connect
@worker_process_init.connect
def name_this_process(sender: Any, **_signal: Any) -> None:
    workers.name_this_process(str(sender))


@worker_ready.connect
def begin(sender: Any, **_signal: Any) -> None:
    """Begin to beat, and spare the first player the wait for the clock's first tick; again after each loss of Redis."""
    heartbeat.begin(name=sender.hostname, queues=sender.app.amqp.queues.consume_from)
    keep_pool_ready.delay()


@worker_shutting_down.connect
def stop(**_signal: Any) -> None:
    heartbeat.stop()
