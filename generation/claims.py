"""The right to do a job: claimed by a conditional update, renewed while it lasts, given up or taken away.

A job is a row with `state` (pending, running, done, failed), `tries`, `claimed_by`, `lease_until`, `error` and `finished_at`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from django.conf import settings
from django.db import OperationalError
from django.db.models import F, Model, Q, QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from generation.backends.base import BackendError

MAX_TRIES = 3
# After these a job is tried again; anything else fails it at once.
RETRYABLE = (BackendError, OperationalError)

PENDING, RUNNING, DONE, FAILED = "pending", "running", "done", "failed"
UNFINISHED = Q(state__in=(PENDING, RUNNING))

Job = TypeVar("Job", bound=Model)


class LostClaimError(Exception):
    """Somebody else took a job over while this process worked on it; nothing of it was written here."""


def lease() -> CombinedExpression:
    """Return when a lease that begins now ends, by the database's clock: the one that all workers share."""
    return Now() + timedelta(seconds=settings.GENERATION_LEASE_SECONDS)


@dataclass(frozen=True, slots=True)
class Claim(Generic[Job]):
    """The right to do a job until its lease ends and somebody takes it over.

    As a context manager it decides what becomes of a job whose try dies: after an error worth a
    retry somebody tries again when `pause` is over, after anything else nobody does. A try that
    ends because its worker was told to stop does not count, and the job is free at once. Whoever
    interrupts one by Ctrl-C says what becomes of it; until the lease ends it stays theirs.
    """

    job: Job
    token: UUID
    pause: timedelta

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, (LostClaimError, KeyboardInterrupt)):
            return
        if isinstance(error, SystemExit):
            self._mine().update(state=PENDING, tries=F("tries") - 1, claimed_by=None, lease_until=Now())
            return
        what = f"{type(error).__name__}: {error}"
        if isinstance(error, RETRYABLE) and self.job.tries < MAX_TRIES:  # type: ignore[attr-defined]
            self._mine().update(state=PENDING, lease_until=Now() + self.pause, error=what)
        else:
            self._mine().update(state=FAILED, finished_at=Now(), error=what)

    def renew(self) -> None:
        """Prolong the lease; raises LostClaimError."""
        if not self._mine().update(state=RUNNING, lease_until=lease()):
            raise self._lost()

    def finish(self, **result: Any) -> None:
        """Mark the job as done with its result; raises LostClaimError."""
        if not self._mine().update(state=DONE, finished_at=Now(), error="", **result):
            raise self._lost()

    def _mine(self) -> "QuerySet[Job]":
        return type(self.job)._default_manager.filter(UNFINISHED, pk=self.job.pk, claimed_by=self.token)

    def _lost(self) -> LostClaimError:
        return LostClaimError(f"{type(self.job).__name__} {self.job.pk} was given to another worker, or is wanted no more.")


def claim_job(jobs: "QuerySet[Job]", *, pk: int, pause: timedelta, **stamps: Any) -> Claim[Job] | None:
    """Claim the one of `jobs` with this key if it waits or was abandoned; None if it is over, somebody else's, or not among them.

    `jobs` must not be filtered by a join: that puts every condition into a subquery, which PostgreSQL does not look at again after a wait.
    `stamps` are columns to set with the claim.
    """
    token = uuid4()
    free = Q(state=PENDING) | Q(state=RUNNING, lease_until__lt=Now())
    won = jobs.filter(free, pk=pk, tries__lt=MAX_TRIES).update(
        state=RUNNING, tries=F("tries") + 1, claimed_by=token, lease_until=lease(), **stamps
    )
    return Claim(jobs.get(pk=pk), token, pause) if won else None
