"""Training by Celery: a clock looks after runs, workers of the queue `training` do one at a time."""

import logging
import threading
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings

from training import runs, services

logger = logging.getLogger(__name__)

# A run takes as long as it takes; its lease says whether its worker lives.
YEAR = 365 * 24 * 3600
_shutting_down = threading.Event()


@worker_shutting_down.connect
def stop_training(**_signal: Any) -> None:
    _shutting_down.set()


@shared_task
def keep_training_going() -> None:
    for run_id in services.take_back_abandoned():
        # By then it is sent again.
        run_training.apply_async([run_id], expires=settings.TRAINING_LEASE_SECONDS)


# Acknowledged at once: Redis would hand it to another worker after its visibility timeout, long before it is done.
@shared_task(acks_late=False, time_limit=YEAR, soft_time_limit=YEAR)
def run_training(run_id: int) -> None:
    try:
        run = runs.run_training(run_id=run_id, should_stop=_shutting_down.is_set)
    except (services.BusyError, services.LostRunError) as error:
        logger.info("run %d: %s", run_id, error)
        return
    if run:
        logger.info("%s: %s %s", run, run.state, run.error or run.model_version or "")
