"""A generation worker's signs of life: a thread of its main process that beats also while a batch runs."""

import atexit
import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

from celery.worker import state
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from generation import workers
from generation.batches import announce_page, hand_back

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
# A worker that ends waits for so long, at most, until the table says so.
LEAVE_SECONDS = 5.0
# Who takes from one of these generates.
QUEUES = {"duel", "generation"}


class Heartbeat(threading.Thread):
    """Beats until it is told that the worker has ended; a database that is away is asked again at the next beat."""

    def __init__(self, name: str, device: str) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.worker, self.device = name, device
        self.stopping, self.ended = threading.Event(), threading.Event()
        self.was_idle = self.has_arrived = False

    def run(self) -> None:
        """Arrive, beat, hand back what is not finished in time when the worker is told to stop, and leave."""
        wait = 0.0
        while not self.stopping.wait(wait):
            wait = BEAT_SECONDS
            self._try(self._beat)
        self.ended.wait(settings.GENERATION_STOP_SECONDS)
        self._try(lambda: hand_back(worker=self.worker))
        while not self.ended.wait(BEAT_SECONDS):
            self._try(self._beat)
        self._try(self._leave)
        connection.close()

    def leave(self) -> None:
        """Stop beating, and say that this worker is gone."""
        self.stopping.set()
        self.ended.set()
        self.join(LEAVE_SECONDS)

    def _beat(self) -> None:
        # A child that was killed in the middle could not say that it is at nothing any more. One that begins
        # just now may not be known yet: hence twice.
        idle = not state.active_requests
        if not self.has_arrived or not workers.beat(name=self.worker, idle=idle and self.was_idle):
            workers.arrive(name=self.worker, device=self.device)
            announce_page()
            self.has_arrived = True
        self.was_idle = idle

    def _leave(self) -> None:
        workers.leave(name=self.worker)
        # A process that ends may start no thread any more, which the news needs: then the page sees it at its next look.
        with suppress(RuntimeError):
            announce_page()

    def _try(self, act: Callable[[], object]) -> None:
        close_old_connections()
        try:
            act()
        except (OperationalError, InterfaceError) as error:
            logger.warning("Worker %s can't say that it lives: %s", self.worker, error)


_heartbeat: Heartbeat | None = None


def begin(*, name: str, queues: Iterable[str]) -> None:
    """Begin to beat for a worker that takes from these queues, if it generates and does not beat yet."""
    global _heartbeat
    if _heartbeat is None and not QUEUES.isdisjoint(queues):
        _heartbeat = Heartbeat(name, settings.GENERATION_DEVICE)
        _heartbeat.start()
        atexit.register(_heartbeat.leave)


def stop() -> None:
    """Give the worker a moment to finish what it is at; then that is handed back."""
    if _heartbeat:
        _heartbeat.stopping.set()
