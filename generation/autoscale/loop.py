"""The loop: look at the queues and at the machine, decide, do it, and say so in a line."""

import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from game.database import Lock, unserved
from generation.autoscale import rules
from generation.autoscale.drivers import Driver, DriverError
from generation.autoscale.queue import names_seen, read_queue
from generation.autoscale.quiet import Unreachable, no_more_tasks
from generation.autoscale.rules import Action, Limits, Past, Situation

# Of the lock that one autoscaler at a time holds: "auto" in ASCII.
_LOCK = 0x6175746F
LONGEST_WAIT_SECONDS = 300.0
TROUBLE = (DriverError, Unreachable, OperationalError, InterfaceError)


class Taken(Exception):
    """Another autoscaler is at work; the message says so."""


class Autoscaler:
    """Keeps one machine: `look` is one look at everything, and what follows from it."""

    def __init__(
        self, *, driver: Driver, say: Callable[[str], None], dry_run: bool = False, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.driver, self.say, self.dry_run, self.sleep = driver, say, dry_run, sleep
        self.limits = Limits(
            after=timedelta(seconds=settings.AUTOSCALE_AFTER_SECONDS), idle=timedelta(minutes=settings.AUTOSCALE_IDLE_MINUTES)
        )
        self.past: Past | None = None
        self._lock: Lock | None = None
        self._said = ""

    def close(self) -> None:
        """Let another autoscaler in."""
        if self._lock:
            self._lock.release()
            self._lock = None

    def run(self) -> None:
        """Look again and again until a signal comes; whatever is away is waited for. Raises Taken."""
        wait = settings.AUTOSCALE_CHECK_SECONDS
        while True:
            try:
                self.look()
                wait = settings.AUTOSCALE_CHECK_SECONDS
            except TROUBLE as error:
                wait = min(2 * wait, max(LONGEST_WAIT_SECONDS, settings.AUTOSCALE_CHECK_SECONDS))
                self._tell(describe(error))
                if isinstance(error, (OperationalError, InterfaceError)):
                    self.close()
                    connection.close()
            self.sleep(wait)

    def look(self) -> None:
        """Look once, decide, and do it; raises Taken, and what is in TROUBLE."""
        self._hold_lock()
        queue = read_queue(workers=settings.AUTOSCALE_WORKER)
        reading = self.driver.read()
        past = self.past or Past(since=queue.now)
        machine = reading.machine or rules.infer(past, now=queue.now, seen_at=queue.seen_at)
        self.past = rules.remember(
            past,
            now=queue.now,
            machine=machine,
            running=queue.running,
            started_at=reading.started_at or past.started_at or queue.started_at,
            stopped_at=reading.stopped_at,
            busy_at=queue.busy_at,
        )
        decision = rules.decide(Situation(queue.now, machine, queue.waiting_since, queue.running, self.past), self.limits)
        would = "would " if self.dry_run and decision.action is not Action.WAIT else ""
        self._tell(f"{would}{decision.action}: {decision.why}", always=decision.action is not Action.WAIT)
        if self.dry_run:
            return
        if decision.action is Action.START:
            self._start(self.past)
        elif decision.action is Action.STOP:
            self._stop(self.past)

    def _hold_lock(self) -> None:
        if self._lock is None:
            self._lock = Lock(_LOCK)
            if not self._lock.won:
                self._lock = None
                raise Taken("Another autoscaler is at work: one is enough, and two would disagree.")
        self._lock.check()

    def _start(self, past: Past) -> None:
        now = read_queue(workers=settings.AUTOSCALE_WORKER).now
        try:
            self.driver.start()
        except DriverError:
            self.past = rules.fail(past, now=now)
            raise
        self.past = rules.start(past, now=now)

    def _stop(self, past: Past) -> None:
        with no_more_tasks(names=names_seen(workers=settings.AUTOSCALE_WORKER)) as hush:
            # What it took since the last look is in the tables, or in its hands, by now.
            queue = read_queue(workers=settings.AUTOSCALE_WORKER)
            if queue.running or hush.held:
                self._tell("wait: Its worker took a job in the meantime.")
                return
            self.driver.stop()
            hush.keep()
        self.past = rules.stop(past, now=queue.now)

    def _tell(self, line: str, *, always: bool = False) -> None:
        if line != self._said or always:
            self.say(line)
        self._said = line


def describe(error: Exception) -> str:
    """Say in one line what is away."""
    return unserved(error) if isinstance(error, (OperationalError, InterfaceError)) else str(error)
