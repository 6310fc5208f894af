"""Who generates: every worker says in a table that it lives, on what, and what it is at."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet
from django.db.models.functions import Now

from generation.models import Worker

# A worker that has not been seen for so long is away.
AWAY_SECONDS = 60
# For so long the pages tell when a worker that is away was last seen.
_REMEMBERED = timedelta(days=1)
# Celery's name of the worker that this process belongs to; elsewhere empty.
_here = ""


def name_this_process(name: str) -> None:
    """Remember which worker this process belongs to; its children inherit it."""
    global _here
    _here = name


def here() -> str:
    """Return the name of the worker that this process belongs to; empty if it belongs to none."""
    return _here


def arrive(*, name: str, device: str) -> None:
    """Say that a worker begins, in the place of one of that name that may have died."""
    began = {"host": socket.gethostname(), "pid": os.getpid(), "device": device, "doing": "", "started_at": Now(), "seen_at": Now()}
    Worker.objects.update_or_create(name=name, defaults=began)
    Worker.objects.filter(seen_at__lt=Now() - _REMEMBERED).delete()


def beat(*, name: str, idle: bool = False) -> bool:
    """Say that a worker lives, and if it is `idle`, that it is at nothing; False if it has yet to arrive."""
    seen = {"seen_at": Now()} | ({"doing": ""} if idle else {})
    return bool(Worker.objects.filter(name=name).update(**seen))


def leave(*, name: str) -> None:
    """Say that a worker has stopped."""
    Worker.objects.filter(name=name, pid=os.getpid()).delete()


@contextmanager
def at_work(doing: str) -> Iterator[None]:
    """Say in the table what this worker is at, while it is; outside of a worker say nothing."""
    _tell(doing=doing)
    try:
        yield
    finally:
        # After an error of the database the next beat says it.
        with suppress(OperationalError, InterfaceError):
            _tell(doing="")


def tell_device(device: str) -> None:
    """Say on what this worker turned out to run; nothing says nothing."""
    if device:
        _tell(device=device)


def _tell(**what: str) -> None:
    if _here:
        Worker.objects.filter(name=_here).update(seen_at=Now(), **what)


def workers_seen(*, seconds: int = AWAY_SECONDS) -> "QuerySet[Worker]":
    """Return the workers that were seen within so many seconds, by the database's clock."""
    return Worker.objects.filter(seen_at__gte=Now() - timedelta(seconds=seconds)).order_by("name")
