"""Pre-generation by Celery: a clock plans, workers write."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_init, worker_process_init, worker_ready, worker_shutting_down
from django.utils import timezone

from generation import batches, heartbeat, services, workers
from generation.claims import LostClaimError

logger = logging.getLogger(__name__)


@shared_task
def keep_pool_ready(messages_may_be_lost: bool = False) -> None:
    for batch_id in services.keep_pool_ready(now=timezone.now(), messages_may_be_lost=messages_may_be_lost):
        run_batch.delay(batch_id)


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
    """Begin to beat, and spare the first player the wait for the clock's first tick.

    A worker is ready again after each loss of Redis, and what waited there may be gone.
    """
    heartbeat.begin(name=sender.hostname, queues=sender.app.amqp.queues.consume_from)
    keep_pool_ready.delay(messages_may_be_lost=True)


@worker_shutting_down.connect
def stop(**_signal: Any) -> None:
    heartbeat.stop()
