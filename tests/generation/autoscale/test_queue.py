"""What waits and what runs, read from the rows of batches and columns."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection

from generation.autoscale.queue import Queue, names_seen, read_queue
from generation.duel.models import Column, Prompt
from generation.models import Batch, ModelVersion, Worker

SECOND = timedelta(seconds=1)
GPU = "gpu@cloud-1"


@pytest.fixture
def now(db: None) -> datetime:
    """The database's clock, which stands still within a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        return cursor.fetchone()[0]


def batch(model: ModelVersion, **values: object) -> Batch:
    return Batch.objects.create(**({"model_version": model, "key": str(uuid4()), "wanted": 1} | values))


def column(model: ModelVersion, **values: object) -> Column:
    prompt = Prompt.objects.create(text="The tide", key=str(uuid4()))
    return Column.objects.create(**({"prompt": prompt, "model_version": model} | values))


def test_nothing_waits_where_there_is_nothing(now: datetime) -> None:
    assert read_queue(workers="gpu@*") == Queue(now, None, 0, None, None, None)


@pytest.mark.parametrize("job", [batch, column])
def test_a_job_waits_since_it_was_made_or_since_a_try_began_that_died(job, model: ModelVersion, now: datetime) -> None:
    lease = now + 60 * SECOND
    second = job(model, state="pending", tries=1, created_at=now - 90 * SECOND, started_at=now - 20 * SECOND, lease_until=lease)
    assert read_queue(workers="gpu@*").waiting_since == now - 20 * SECOND
    # One that failed and was asked for anew began earlier than that.
    second.delete()
    again = job(model, state="pending", created_at=now - 10 * SECOND, started_at=now - 900 * SECOND, lease_until=lease)
    assert read_queue(workers="gpu@*").waiting_since == now - 10 * SECOND
    again.delete()
    job(model, state="pending", created_at=now - 30 * SECOND, lease_until=lease)
    job(model, state="pending", created_at=now - 40 * SECOND, lease_until=now - SECOND)
    assert read_queue(workers="gpu@*").waiting_since == now - 40 * SECOND


@pytest.mark.parametrize("job", [batch, column])
def test_a_job_runs_on_the_machine_while_its_worker_holds_the_lease(job, model: ModelVersion, now: datetime) -> None:
    ended = now - 300 * SECOND
    job(model, state="running", worker=GPU, lease_until=now + SECOND)
    job(model, state="running", worker="celery@home", lease_until=now + SECOND)
    job(model, state="running", worker="xgpu@cloud-1", lease_until=now + SECOND)
    job(model, state="done", worker=GPU, lease_until=now + SECOND, finished_at=ended)
    job(model, state="done", worker="celery@home", lease_until=now + SECOND, finished_at=now)
    assert read_queue(workers="gpu@*") == Queue(now, None, 1, ended, None, None)
    Batch.objects.filter(state="running").update(lease_until=now - 5 * SECOND)
    Column.objects.filter(state="running").update(lease_until=now - 5 * SECOND)
    assert read_queue(workers="gpu@*") == Queue(now, now - 5 * SECOND, 0, ended, None, None)


def test_the_oldest_of_both_kinds_counts(model: ModelVersion, now: datetime) -> None:
    batch(model, state="pending", created_at=now - 8 * SECOND, lease_until=now)
    column(model, state="pending", created_at=now - 9 * SECOND, lease_until=now)
    batch(model, state="failed", created_at=now - 99 * SECOND, lease_until=now, finished_at=now)
    batch(model, state="running", worker=GPU, lease_until=now + SECOND)
    column(model, state="running", worker=GPU, lease_until=now + SECOND)
    found = read_queue(workers="gpu@*")
    assert (found.waiting_since, found.running) == (now - 9 * SECOND, 2)


def test_its_worker_is_known_by_name(now: datetime) -> None:
    for name, seconds in ((GPU, 10), ("gpu@cloud-2", 61), ("celery@home", 0)):
        Worker.objects.create(name=name, host="h", pid=1, device="cpu", started_at=now - 500 * SECOND, seen_at=now - seconds * SECOND)
    found = read_queue(workers="gpu@*")
    assert (found.seen_at, found.started_at) == (now - 10 * SECOND, now - 500 * SECOND)
    assert names_seen(workers="gpu@*") == [GPU]
    assert names_seen(workers="gpu.*") == []
    assert read_queue(workers="tpu@*") == Queue(now, None, 0, None, None, None)
