"""What workers say of themselves, and who is believed to be there."""

from datetime import timedelta
from threading import Event

import pytest
from celery.worker import state
from django.db import OperationalError, connection
from django.db.models.functions import Now

from generation import batches, heartbeat, workers
from generation.claims import LostClaimError
from generation.heartbeat import Heartbeat
from generation.models import Batch, Worker

NAME = "generation@attic"


@pytest.fixture
def worker(db: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let this process be a worker's, which has arrived."""
    monkeypatch.setattr(workers, "_here", NAME)
    workers.arrive(name=NAME, device="auto")
    return NAME


def doing() -> str:
    return Worker.objects.get(name=NAME).doing


def test_what_a_worker_is_at_is_told_while_it_is(worker: str) -> None:
    with workers.at_work("Counting herons"):
        assert doing() == "Counting herons"
    assert doing() == ""
    with pytest.raises(ZeroDivisionError), workers.at_work("Dividing"):
        raise ZeroDivisionError
    assert doing() == ""


@pytest.mark.django_db
def test_outside_of_a_worker_nothing_is_told() -> None:
    with workers.at_work("Counting herons"):
        assert not Worker.objects.exists()


def test_a_worker_is_there_until_it_was_not_seen_for_a_minute(worker: str) -> None:
    workers.arrive(name="generation@barn", device="cpu")
    assert [each.name for each in workers.workers_seen()] == [NAME, "generation@barn"]
    Worker.objects.filter(name=NAME).update(seen_at=Now() - timedelta(seconds=61))
    assert [each.name for each in workers.workers_seen()] == ["generation@barn"]
    assert workers.beat(name=NAME)
    assert workers.workers_seen().count() == 2


def test_a_worker_that_comes_back_takes_the_place_of_the_one_that_died(worker: str) -> None:
    Worker.objects.update(doing="Dying", pid=1, started_at=Now() - timedelta(hours=1))
    workers.arrive(name=NAME, device="cuda:1")
    (found,) = Worker.objects.filter(started_at__gt=Now() - timedelta(minutes=1))
    assert (found.doing, found.device) == ("", "cuda:1")


def test_of_a_worker_that_has_stopped_nothing_is_left_but_its_successor_is(worker: str) -> None:
    Worker.objects.update(pid=1)
    workers.leave(name=NAME)
    assert Worker.objects.exists()
    workers.arrive(name=NAME, device="cpu")
    workers.leave(name=NAME)
    assert not Worker.objects.exists()


def test_a_worker_that_died_long_ago_is_forgotten_when_another_arrives(worker: str) -> None:
    Worker.objects.update(seen_at=Now() - timedelta(hours=25))
    workers.arrive(name="generation@barn", device="cpu")
    assert [each.name for each in Worker.objects.all()] == ["generation@barn"]


def test_who_claims_a_batch_is_noted_and_what_it_is_at_is_told(worker: str, batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    store = batches._store

    def look(*args: object) -> None:
        told.append(doing())
        store(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(batches, "_store", look)
    done = batches.run_batch(batch_id=batch.pk, now=batch.created_at)
    assert done is not None
    assert (done.worker, told, doing()) == (NAME, ["Writing 20 tweets for Starlings"], "")
    assert Worker.objects.get().device == "cpu"
    assert done.started_at is not None
    assert done.finished_at is not None
    assert batch.created_at <= done.started_at <= done.finished_at


def test_a_worker_that_is_told_to_stop_hands_back_what_is_its_own(worker: str, batch: Batch) -> None:
    other = batches.create_batch(model_version=batch.model_version, wanted=5)
    claims = [batches.claim_batch(batch_id=each.pk) for each in (batch, other)]
    Batch.objects.filter(pk=other.pk).update(worker="generation@barn")
    batches.hand_back(worker=NAME)
    assert list(Batch.objects.order_by("pk").values_list("state", "tries")) == [("pending", 0), ("running", 1)]
    assert claims[0] is not None
    with pytest.raises(LostClaimError):
        claims[0].renew()


def test_a_heartbeat_says_of_a_worker_whose_process_was_killed_that_it_is_at_nothing(worker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    beats = Heartbeat(NAME, "cpu")
    Worker.objects.update(doing="Dying")
    monkeypatch.setattr(state, "active_requests", {"a request"})
    beats._beat()
    Worker.objects.update(doing="Dying")
    for _ in range(2):
        beats._beat()
    assert doing() == "Dying"
    monkeypatch.setattr(state, "active_requests", set())
    beats._beat()
    assert doing() == "Dying"
    beats._beat()
    assert doing() == ""


def test_a_heartbeat_arrives_again_where_its_worker_was_forgotten(worker: str) -> None:
    beats = Heartbeat(NAME, "cpu")
    beats._beat()
    Worker.objects.all().delete()
    beats._beat()
    assert workers.workers_seen().count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_heartbeat_outlives_a_database_that_is_away_and_ends_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    away, beaten = [OperationalError("no"), OperationalError("still no")], Event()
    beat = workers.beat

    def beat_sometimes(*, name: str, idle: bool = False) -> bool:
        if away:
            raise away.pop()
        beaten.set()
        return beat(name=name, idle=idle)

    monkeypatch.setattr(workers, "beat", beat_sometimes)
    beats = Heartbeat(NAME, "cpu")
    beats.start()
    assert beaten.wait(5)
    assert Worker.objects.get().name == NAME
    beats.leave()
    assert not beats.is_alive()
    assert not Worker.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        assert cursor.fetchone() == (0,)


def test_only_workers_that_generate_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    monkeypatch.setattr(Heartbeat, "start", lambda beats: begun.append(beats.worker))
    monkeypatch.setattr(heartbeat.atexit, "register", lambda _act: None)
    monkeypatch.setattr(heartbeat, "_heartbeat", None)
    heartbeat.begin(name="scraping@attic", queues=["clock", "scraping"])
    assert begun == []
    heartbeat.begin(name=NAME, queues=["clock", "duel", "generation"])
    # After each loss of Redis a worker is ready once more.
    heartbeat.begin(name=NAME, queues=["clock", "duel", "generation"])
    assert begun == [NAME]
