"""Runs on a real PostgreSQL: asked for, claimed once, taken over, given back, cancelled."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from game.pool.models import Category
from tests.threads import at_once
from tests.training.flock import KNOBS, add_flock
from training import services
from training.models import TrainingRun
from training.services import (
    MAX_TRIES,
    BusyError,
    LostRunError,
    RunClaim,
    TrainingError,
    cancel_run,
    claim_run,
    find_run_to_resume,
    start_run,
    take_back_abandoned,
)


@pytest.fixture
def birds(db: None) -> Category:
    return add_flock("birds")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like a base."""
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def run(birds: Category, folder: Path) -> TrainingRun:
    return start_run(category=birds, by=None, recipe_values=KNOBS | {"base": str(folder)})


def claim(run: TrainingRun, device: str = "cpu of here") -> RunClaim | None:
    return claim_run(run_id=run.pk, device=lambda _: device)


def claimed(run: TrainingRun) -> RunClaim:
    won = claim(run)
    assert won is not None
    return won


def expire(run: TrainingRun) -> None:
    TrainingRun.objects.filter(pk=run.pk).update(lease_until=Now() - timedelta(seconds=1))


def stand(run: TrainingRun) -> tuple[str, int, bool]:
    """Return state, tries, and whether somebody holds it."""
    run.refresh_from_db()
    return run.state, run.tries, run.claimed_by is not None


def test_what_is_asked_for_is_written_down_and_waits_for_a_worker(birds: Category, folder: Path) -> None:
    olga = User.objects.create_user("olga")
    values: dict[str, Any] = {"base": str(folder), "epochs": 3, "rate": 0.01, "version": 9, "out": "/etc"}
    run = start_run(category=birds, by=olga, recipe_values=values, promote=True)
    assert (run.category, run.asked_by, run.promote, run.base) == (birds, olga, True, str(folder))
    # Three epochs are what a recipe has anyway, and places are the run's own.
    assert run.recipe == {"name": f"{folder.name}-birds", "rate": 0.01}
    assert run.folder == f"training/birds-{run.pk}"
    recipe = services.recipe_of(run, version=4)
    assert (recipe.version, recipe.out, recipe.corpus) == (4, str(run.path), str(run.path / "corpus"))
    assert take_back_abandoned() == [run.pk]
    assert take_back_abandoned() == []


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_at_once_one_wins(run: TrainingRun) -> None:
    assert sum(at_once(6, lambda _: claim(run) is not None)) == 1
    assert stand(run) == ("running", 1, True)


def test_a_device_has_one_run_and_another_device_has_another(run: TrainingRun, birds: Category, folder: Path) -> None:
    second = start_run(category=birds, by=None, recipe_values={"base": str(folder)})
    claimed(run)
    with pytest.raises(BusyError, match=rf"^training {run.pk} of birds is going on on cpu of here: wait for it, or cancel it\.$"):
        claim(second)
    assert stand(second) == ("waiting", 0, False)
    assert claim(second, "cuda:0 of here") is not None


def test_a_run_whose_worker_died_is_taken_over_and_the_first_worker_writes_nothing_more(run: TrainingRun) -> None:
    first = claimed(run)
    assert first.renew() is False
    assert take_back_abandoned() == []
    expire(run)
    assert take_back_abandoned() == [run.pk]
    second = claimed(run)
    for change in (first.renew, first.give_back, lambda: first.update(stage="export"), lambda: first.finish("done")):
        with pytest.raises(LostRunError):
            change()
    second.update(stage="finetune")
    assert stand(run) == ("running", 2, True)
    assert run.stage == "finetune"


def test_a_run_that_kills_its_workers_is_given_up(run: TrainingRun) -> None:
    for _ in range(MAX_TRIES):
        claimed(run)
        expire(run)
        again = take_back_abandoned()
    assert again == []
    assert stand(run) == ("failed", MAX_TRIES, False)
    assert run.error.startswith("Its worker died 5 times")


def test_a_worker_that_is_told_to_stop_gives_the_run_back_without_a_mark(run: TrainingRun) -> None:
    claimed(run).give_back()
    assert stand(run) == ("waiting", 0, False)
    assert take_back_abandoned() == [run.pk]


def test_a_run_that_waits_is_cancelled_at_once(run: TrainingRun) -> None:
    cancel_run(run_id=run.pk, by=User.objects.create_user("olga"))
    assert stand(run) == ("cancelled", 0, False)
    assert run.error == "cancelled by olga"
    assert claim(run) is None
    assert take_back_abandoned() == []


def test_the_worker_of_a_running_run_hears_of_a_cancellation(run: TrainingRun) -> None:
    working = claimed(run)
    cancel_run(run_id=run.pk, by=None)
    assert stand(run) == ("running", 1, True)
    assert working.renew() is True
    working.finish("cancelled")
    assert stand(run) == ("cancelled", 1, False)


def test_a_cancelled_run_whose_worker_died_is_not_taken_over(run: TrainingRun) -> None:
    claimed(run)
    cancel_run(run_id=run.pk, by=None)
    expire(run)
    assert take_back_abandoned() == []
    assert stand(run) == ("cancelled", 1, False)


def test_cancelling_what_is_over_changes_nothing(run: TrainingRun) -> None:
    claimed(run).finish("failed", error="no luck")
    cancel_run(run_id=run.pk, by=None)
    assert stand(run) == ("failed", 1, False)
    assert run.error == "no luck"


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_what_failed_or_was_cancelled_can_be_resumed(run: TrainingRun, birds: Category, state: str) -> None:
    claimed(run).finish(state, error="no luck")
    assert find_run_to_resume(category=birds, promote=True) == run
    assert stand(run) == ("waiting", 0, False)
    assert (run.promote, run.error, run.finished_at) == (True, "", None)
    # Whoever resumes it has the length of a lease to claim it.
    assert take_back_abandoned() == []
    assert claim(run) is not None


def test_a_run_that_goes_on_cannot_be_resumed(run: TrainingRun, birds: Category) -> None:
    claimed(run)
    with pytest.raises(TrainingError, match="is going on: wait for it, or cancel it"):
        find_run_to_resume(category=birds, promote=False)
    expire(run)
    assert find_run_to_resume(category=birds, promote=False) == run


def test_a_withdrawn_tweet_does_not_count_in_any_category(birds: Category, folder: Path) -> None:
    other = add_flock("others")
    other.tweets.update(status="withdrawn")
    with pytest.raises(TrainingError, match=r"^birds has no approved human tweets: import some, and approve them\.$"):
        start_run(category=birds, by=None, recipe_values={"base": str(folder)})
