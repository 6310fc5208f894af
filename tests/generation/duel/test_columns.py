"""Columns on a real PostgreSQL: answered once, by one worker, given up in the end, asked of those who write today."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import Retry
from django.db import InterfaceError, OperationalError
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as BrokerAway

from game.pool.models import Category
from generation.backends.base import BackendError, UnusableModelError
from generation.batches import hand_back
from generation.claims import LostClaimError
from generation.duel import columns, tasks
from generation.duel.columns import complete_column, take_back_abandoned
from generation.duel.models import Column, Completion, Prompt
from generation.duel.selectors import read_duel
from generation.duel.services import ask, visit
from generation.models import ModelVersion
from generation.versions import promote_model, register_model, retire_model
from tests.generation.conftest import copy_model
from tests.generation.duel.conftest import ENDINGS, Speaker, read_columns


def expire(column: Column) -> None:
    Column.objects.filter(pk=column.pk).update(lease_until=Now() - timedelta(seconds=1))


def stand(column: Column) -> tuple[str, int, int]:
    column.refresh_from_db()
    return column.state, column.tries, column.completions.count()


def test_a_column_ends_with_the_ten_best(column: Column, let_speak: Callable[..., Speaker]) -> None:
    let_speak()
    done = complete_column(column_id=column.pk)
    assert done is not None
    assert stand(column) == ("done", 1, 10)
    assert (done.made, done.dropped) == (20, {"duplicate": 8, "judged unlike people": 2})
    texts = [completion.text for completion in column.completions.all()]
    best = sorted((f"I think that {ending}" for ending in ENDINGS), key=len, reverse=True)
    assert texts == best[:10]
    assert [completion.place for completion in column.completions.all()] == list(range(10))


def test_the_shipped_model_answers(column: Column) -> None:
    complete_column(column_id=column.pk)
    assert stand(column) == ("done", 1, 10)
    for completion in column.completions.all():
        assert completion.text.startswith("I think that")
        assert completion.compound is not None
        assert -1 <= completion.compound <= 1
        assert completion.mood in ("positive", "neutral", "negative")
    assert column.made == 10 + sum(column.dropped.values())


def test_a_column_answered_twice_is_written_once(column: Column, let_speak: Callable[..., Speaker]) -> None:
    let_speak()
    complete_column(column_id=column.pk)
    before = list(column.completions.values_list("pk", "text"))
    assert complete_column(column_id=column.pk) is None
    assert list(column.completions.values_list("pk", "text")) == before


def test_a_killed_workers_column_is_answered_by_another_and_the_first_writes_nothing(
    column: Column, let_speak: Callable[..., Speaker], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_speak()
    slow = columns.complete

    def be_overtaken(**how: Any) -> object:
        monkeypatch.setattr(columns, "complete", slow)
        expire(column)
        assert take_back_abandoned() == [column.pk]
        assert complete_column(column_id=column.pk) is not None
        return slow(**how)

    monkeypatch.setattr(columns, "complete", be_overtaken)
    with pytest.raises(LostClaimError):
        complete_column(column_id=column.pk)
    assert stand(column) == ("done", 2, 10)


def test_a_column_that_dies_before_its_commit_leaves_no_completion(
    column: Column, let_speak: Callable[..., Speaker], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_speak()

    def die(_completions: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Completion.objects, "bulk_create", die)
        with pytest.raises(SystemExit):
            complete_column(column_id=column.pk)
    # Its worker was told to stop: that try does not count.
    assert stand(column) == ("pending", 0, 0)
    complete_column(column_id=column.pk)
    assert stand(column) == ("done", 1, 10)


def test_three_tries_that_break_off_fail_a_column_and_the_page_says_what_to_do(
    column: Column, prompt: Prompt, let_speak: Callable[..., Speaker], monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker = let_speak()

    def fail(**_how: object) -> list[object]:
        raise BackendError("The device is gone.")

    monkeypatch.setattr(speaker, "generate", fail)
    seen = []
    for tries in (1, 2, 3):
        with pytest.raises(BackendError):
            complete_column(column_id=column.pk)
        assert stand(column) == ("pending" if tries < 3 else "failed", tries, 0)
        (shown,) = read_columns(prompt)
        seen.append(shown["error"])
    assert column.error == "BackendError: The device is gone."
    assert seen == ["This model broke off and is being asked again."] * 2 + [
        "This model could not answer. Ask again in ten minutes, and it is tried anew."
    ]
    assert complete_column(column_id=column.pk) is None
    expire(column)
    assert take_back_abandoned() == []


def test_a_column_that_broke_off_is_sent_again_seconds_later(column: Column, let_speak: Callable[..., Speaker], monkeypatch) -> None:
    speaker = let_speak()

    def fail(**_how: object) -> list[object]:
        raise BackendError("The device is gone.")

    monkeypatch.setattr(speaker, "generate", fail)
    with pytest.raises(BackendError):
        complete_column(column_id=column.pk)
    soon = Column.objects.filter(pk=column.pk, lease_until__lt=Now() + timedelta(seconds=5))
    assert soon.exists()


def test_a_column_that_kills_three_workers_fails_too(column: Column, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "complete", lambda **_how: pytest.exit("never reached"))
    for tries in (1, 2, 3):
        # As a worker leaves it that is killed after the claim.
        assert columns.claim_job(Column.objects.all(), pk=column.pk, pause=columns.PAUSE) is not None
        expire(column)
        assert take_back_abandoned() == ([column.pk] if tries < 3 else [])
    assert stand(column) == ("failed", 3, 0)
    assert column.error == "Its worker stopped answering, 3 times."


def test_an_error_that_another_try_cannot_mend_fails_a_column_at_once(
    register: Callable[..., ModelVersion], sent: list[int], django_capture_on_commit_callbacks
) -> None:
    model = register()
    (model.folder / "model.bin").write_bytes(b"cut off")
    prompt = ask(text="I think that", allow_new=lambda: True)["prompt"]
    column = prompt.columns.get()
    with pytest.raises(UnusableModelError):
        complete_column(column_id=column.pk)
    assert stand(column) == ("failed", 1, 0)


def test_a_failed_column_is_asked_again_by_a_visit_after_ten_minutes(
    column: Column, prompt: Prompt, sent: list[int], let_speak: Callable[..., Speaker], django_capture_on_commit_callbacks
) -> None:
    let_speak()
    sent.clear()
    for age, again in ((timedelta(minutes=9), []), (timedelta(minutes=11), [column.pk])):
        Column.objects.filter(pk=column.pk).update(state="failed", tries=3, error="Gone.", finished_at=Now() - age)
        with django_capture_on_commit_callbacks(execute=True):
            visit(token=prompt.token)
        assert sent == again
    complete_column(column_id=column.pk)
    assert stand(column) == ("done", 1, 10)


def test_a_worker_that_is_told_to_stop_hands_its_columns_to_another_at_once(column: Column, sent: list[int]) -> None:
    sent.clear()
    claim = columns.claim_job(Column.objects.all(), pk=column.pk, pause=columns.PAUSE, worker="generation@attic")
    assert claim is not None
    hand_back(worker="generation@barn")
    assert (stand(column), sent) == (("running", 1, 0), [])
    hand_back(worker="generation@attic")
    assert (stand(column), sent) == (("pending", 0, 0), [column.pk])
    # Where it goes on all the same it writes nothing.
    with pytest.raises(LostClaimError):
        claim.renew()
    # It is on its way: the clock does not send it twice.
    assert take_back_abandoned() == []


def test_a_column_that_is_handed_back_while_redis_is_away_is_sent_by_the_clock(column: Column, monkeypatch: pytest.MonkeyPatch) -> None:
    columns.claim_job(Column.objects.all(), pk=column.pk, pause=columns.PAUSE, worker="generation@attic")

    def fail(*_args: object, **_options: object) -> None:
        raise BrokerAway

    with monkeypatch.context() as patch:
        patch.setattr(columns.current_app, "send_task", fail)
        hand_back(worker="generation@attic")
    expired = Column.objects.filter(pk=column.pk, lease_until__lte=Now())
    assert expired.exists()


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_message_outlives_a_database_that_is_away_before_the_claim(
    column: Column, let_speak: Callable[..., Speaker], monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    let_speak()
    claim_job, away = columns.claim_job, [error("no"), error("still no")]

    def claim_sometimes(*args: Any, **how: Any) -> object:
        if away:
            raise away.pop()
        return claim_job(*args, **how)

    monkeypatch.setattr(columns, "claim_job", claim_sometimes)
    assert tasks.complete_column.apply(args=[column.pk]).successful()
    assert stand(column) == ("done", 1, 10)


def test_a_message_does_not_wait_for_a_database_for_ever_nor_spin(column: Column, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def fail(*_args: object, pk: int, **_how: object) -> None:
        asked.append(pk)
        raise OperationalError

    monkeypatch.setattr(columns, "claim_job", fail)
    assert isinstance(tasks.complete_column.apply(args=[column.pk]).result, OperationalError)
    assert asked == [column.pk] * (1 + tasks.RETRIES)
    task = tasks.complete_column
    again: list[float] = []
    monkeypatch.setattr("celery.canvas.Signature.apply_async", lambda signature: again.append(signature.options["countdown"]))
    task.push_request(id="made-up", args=[column.pk], kwargs={}, called_directly=False, retries=0)
    try:
        with pytest.raises(Retry):
            task.run(column.pk)
    finally:
        task.pop_request()
    assert again == [tasks.RETRY_SECONDS]


def test_a_lost_message_is_sent_again_by_the_clock_once(column: Column) -> None:
    assert take_back_abandoned() == []
    expire(column)
    assert take_back_abandoned() == [column.pk]
    assert take_back_abandoned() == []


def test_a_retired_models_column_goes_and_its_successor_is_asked(
    column: Column, prompt: Prompt, register: Callable[..., ModelVersion], sent: list[int], django_capture_on_commit_callbacks
) -> None:
    successor = register(version=2)
    sent.clear()
    with django_capture_on_commit_callbacks(execute=True):
        assert take_back_abandoned() == []
    asked = prompt.columns.get()
    assert (asked.model_version, asked.state, sent) == (successor, "pending", [asked.pk])


def test_a_model_that_is_retired_while_it_answers_is_shown_no_more(
    column: Column, model: ModelVersion, prompt: Prompt, let_speak: Callable[..., Speaker], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_speak()
    answer = columns.complete

    def retire_first(**how: Any) -> object:
        retire_model(model_version=model, by=None)
        take_back_abandoned()
        return answer(**how)

    monkeypatch.setattr(columns, "complete", retire_first)
    with pytest.raises(LostClaimError):
        complete_column(column_id=column.pk)
    assert (prompt.columns.count(), Completion.objects.count()) == (0, 0)
    assert read_columns(prompt) == []


def test_a_column_of_a_model_that_is_not_active_is_not_claimed(column: Column, model: ModelVersion) -> None:
    retire_model(model_version=model, by=None)
    assert complete_column(column_id=column.pk) is None
    assert stand(column) == ("pending", 0, 0)


def test_every_active_model_of_a_shown_category_is_asked(
    model: ModelVersion, sent: list[int], tmp_path, django_capture_on_commit_callbacks
) -> None:
    for slug, active in (("herons", True), ("wrens", False)):
        category = Category.objects.create(slug=slug, name=slug.title(), active=active)
        folder = copy_model(tmp_path / slug, category=slug, name=slug)
        promote_model(model_version=register_model(category=category, folder=folder), by=None)
    with django_capture_on_commit_callbacks(execute=True):
        prompt = ask(text="I think that", allow_new=lambda: True)["prompt"]
    assert [column["category"] for column in read_columns(prompt)] == ["Herons", "Starlings"]
    assert sorted(sent) == sorted(prompt.columns.values_list("pk", flat=True))
    assert len(sent) == 2


def test_a_prompt_is_read_in_one_query_however_many_columns(column: Column, prompt: Prompt, let_speak, django_assert_num_queries) -> None:
    let_speak()
    complete_column(column_id=column.pk)
    with django_assert_num_queries(1):
        duel = read_duel(prompt.token)
    assert duel
    assert (duel["done"], duel["unasked"]) == (True, False)
    (shown,) = duel["columns"]
    assert (shown["state"], shown["model"], shown["category"], len(shown["main"]) + len(shown["rest"])) == (
        "done",
        "tiny v1",
        "Starlings",
        10,
    )
    assert {each["mood"] for each in shown["main"]} == {shown["mood"]}
    assert shown["mood"] not in {each["mood"] for each in shown["rest"]}
    assert sum(shown["shares"].values()) == pytest.approx(1)


def test_a_category_in_another_language_has_no_moods(column: Column, prompt: Prompt, category: Category, let_speak) -> None:
    category.language = "xx"  # none that the filter knows, so English passes it
    category.save()
    let_speak()
    complete_column(column_id=column.pk)
    assert set(column.completions.values_list("compound", "mood")) == {(None, "")}
    (shown,) = read_columns(prompt)
    assert (shown["mood"], shown["shares"], len(shown["main"]), shown["rest"]) == (None, {}, 10, [])


def test_there_is_nothing_to_read_of_a_prompt_that_is_none(db: None) -> None:
    assert read_duel("nonesuch") is None
