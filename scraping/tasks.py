"""Scraping by Celery: a clock looks after runs and schedules, threads of the queue `scraping` do the runs."""

import logging
import threading
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings
from django.utils import timezone

from scraping import runs, work

logger = logging.getLogger(__name__)

# A run takes as long as its sources let it; a lock says whether its process lives.
YEAR = 365 * 24 * 3600
_shutting_down = threading.Event()


@worker_shutting_down.connect
def stop_scraping(**_signal: Any) -> None:
    _shutting_down.set()


@shared_task
def keep_scraping_going() -> None:
    for problem in runs.start_due(now=timezone.now()):
        logger.warning("%s", problem)
    for run_id in runs.take_back_abandoned():
        # By then it is sent again.
        run_scrape.apply_async([run_id], expires=settings.SCRAPE_LEASE_SECONDS)


# Acknowledged at once: Redis would hand it to another worker after its visibility timeout, long before it is done.
@shared_task(acks_late=False, time_limit=YEAR, soft_time_limit=YEAR)
def run_scrape(run_id: int) -> None:
    run = work.carry_out(run_id=run_id, should_stop=_shutting_down.is_set)
    if run:
        logger.info("%s: %s %s", run, run.state, run.error)
