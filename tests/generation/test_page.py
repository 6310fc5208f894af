"""The page of generation: who may see it, what it says, and what its buttons do."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from game.pool.models import Category, Kind, Status, Tweet
from game.pool.services import NewTweet, add_tweets, get_author
from generation import batches, selectors, services, workers
from generation.models import Batch, ModelVersion, Worker
from generation.versions import promote_model, register_model
from tests.generation.conftest import copy_model
from tests.people import client_of

NOW = timezone.now()


@pytest.fixture
def moderator(db: None) -> Client:
    return client_of("moderator")


def end(batch: Batch, state: str, **what: Any) -> Batch:
    """Let a batch be over that ran for four seconds."""
    Batch.objects.filter(pk=batch.pk).update(state=state, started_at=NOW - timedelta(seconds=4), finished_at=NOW, **what)
    batch.refresh_from_db()
    return batch


@pytest.fixture
def failure(batch: Batch) -> Batch:
    return end(batch, "failed", tries=3, error="BackendError: the device is gone")


def stock(slug: str = "starlings") -> dict[str, Any]:
    (found,) = [each for each in selectors.read_stocks(now=NOW) if each["category"].slug == slug]
    return found


@pytest.mark.parametrize("person", ["teacher", "ada"])
@pytest.mark.parametrize("path", ["/generation/", "/generation/batch/{batch}/try-again/", "/generation/batch/{batch}/clear/"])
def test_who_may_not_watch_is_refused_and_changes_nothing(failure: Batch, person: str, path: str) -> None:
    client, address = client_of(person), path.format(batch=failure.pk)
    assert client.get(address).status_code == 403
    assert client.post(address).status_code == 403
    failure.refresh_from_db()
    assert failure.state == "failed"


def test_who_is_not_signed_in_is_sent_to_sign_in(failure: Batch, client: Client) -> None:
    assert client.get("/generation/").url == "/account/sign-in/?next=/generation/"  # type: ignore[attr-defined]
    assert client.post(f"/generation/batch/{failure.pk}/clear/").url == "/account/sign-in/?next=/generation/"  # type: ignore[attr-defined]
    assert Batch.objects.filter(pk=failure.pk).exists()


@pytest.mark.parametrize("action", ["try-again", "clear"])
def test_nothing_is_changed_by_looking_nor_without_the_token_of_the_page(failure: Batch, action: str) -> None:
    assert client_of("moderator").get(f"/generation/batch/{failure.pk}/{action}/").status_code == 405
    assert client_of("moderator", enforce_csrf_checks=True).post(f"/generation/batch/{failure.pk}/{action}/").status_code == 403
    failure.refresh_from_db()
    assert failure.state == "failed"


def test_an_address_that_posts_too_often_is_told_to_wait(failure: Batch, moderator: Client, settings) -> None:
    settings.RATE_GENERATION = "2/m"
    answers = [moderator.post(f"/generation/batch/{failure.pk}/clear/").status_code for _ in range(3)]
    assert answers == [302, 302, 429]


def test_only_moderators_find_the_page_in_the_menu(moderator: Client) -> None:
    link = b'href="/generation/"'
    assert link in moderator.get("/").content
    assert link not in client_of("teacher").get("/").content
    # On a phone the menu has no room for it: there the account's page leads to it.
    assert b'<a href="/generation/">Watch generation</a>' in moderator.get("/account/").content
    assert b"Watch generation" not in client_of("teacher").get("/account/").content


def test_an_empty_page_says_what_to_do(moderator: Client) -> None:
    page = moderator.get("/generation/").content.decode()
    assert "No worker has been seen here yet." in page
    assert "celery -A game worker -Q clock,duel,generation" in page
    assert "No category is shown to players yet." in page
    assert "Nothing failed." in page


def test_a_failure_is_told_in_words_with_how_often_it_was_tried(failure: Batch, moderator: Client) -> None:
    page = moderator.get("/generation/").content.decode()
    assert "The model broke off: the device is gone." in page
    assert "Tried 3 times" in page


def test_what_failed_alike_is_one_failure(model: ModelVersion) -> None:
    for error in ("BackendError: gone", "BackendError: gone", "BackendError: full"):
        end(batches.create_batch(model_version=model, wanted=5), "failed", tries=1, error=error)
    told = {each["words"]: each["jobs"] for each in selectors.read_failures(now=NOW)}
    assert told == {"The model broke off: gone.": 2, "The model broke off: full.": 1}


def test_a_failure_that_is_tried_again_waits_for_a_worker_in_the_place_of_all_that_failed_alike(
    failure: Batch, model: ModelVersion, moderator: Client
) -> None:
    newer = end(batches.create_batch(model_version=model, wanted=5), "failed", tries=3, error=failure.error)
    answer = moderator.post(f"/generation/batch/{newer.pk}/try-again/", follow=True)
    assert "It is tried again as soon as a worker is free." in answer.content.decode()
    assert list(Batch.objects.values_list("pk", "state", "tries", "error")) == [(newer.pk, "pending", 0, "")]
    # At once: no lease has to run out.
    assert newer.pk in services.keep_pool_ready(now=NOW)
    assert batches.run_batch(batch_id=newer.pk, now=NOW) is not None


@pytest.mark.parametrize("state", ["pending", "running", "done"])
def test_what_is_no_failure_is_not_tried_again(batch: Batch, moderator: Client, state: str) -> None:
    Batch.objects.update(state=state, tries=1, finished_at=NOW if state == "done" else None)
    answer = moderator.post(f"/generation/batch/{batch.pk}/try-again/", follow=True)
    assert "That is no failure any more" in answer.content.decode()
    batch.refresh_from_db()
    assert (batch.state, batch.tries) == (state, 1)


def test_a_failure_of_a_model_that_writes_no_more_is_cleared_but_not_tried_again(
    failure: Batch, register: Callable[..., ModelVersion], moderator: Client
) -> None:
    register(version=2)
    assert "try-again" not in moderator.get("/generation/").content.decode()
    moderator.post(f"/generation/batch/{failure.pk}/try-again/")
    failure.refresh_from_db()
    assert failure.state == "failed"
    moderator.post(f"/generation/batch/{failure.pk}/clear/")
    assert not Batch.objects.filter(pk=failure.pk).exists()


def test_clearing_leaves_what_is_under_way(batch: Batch, moderator: Client) -> None:
    moderator.post(f"/generation/batch/{batch.pk}/clear/")
    assert Batch.objects.filter(pk=batch.pk).exists()


def test_the_figures_of_a_category_are_those_of_its_tweets_and_last_batches(model: ModelVersion, category: Category, settings) -> None:
    settings.GENERATION_READY = 10
    person = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada")
    add_tweets(
        category=category, tweets=[NewTweet(person, f"Starling {n} came by the harbour.") for n in range(40)], status=Status.APPROVED
    )
    machine = [NewTweet(model.author, f"The starling of house {n} sings.") for n in range(12)]
    add_tweets(category=category, tweets=machine, status=Status.APPROVED)
    dealt = Tweet.objects.filter(kind=Kind.MACHINE).values("pk")
    Tweet.objects.filter(pk__in=dealt[:2]).update(first_dealt_at=NOW - timedelta(minutes=61))
    Tweet.objects.filter(pk__in=dealt[2:8]).update(first_dealt_at=NOW - timedelta(minutes=59))
    end(batches.create_batch(model_version=model, wanted=30), "done", made=90, kept=30)
    end(batches.create_batch(model_version=model, wanted=30), "done", made=30, kept=18)
    batches.create_batch(model_version=model, wanted=7)
    found = stock()
    assert (found["machine"], found["consumed"], found["target"], found["lasts"], found["asked"]) == (4, 6, 12, "40 minutes", 7)
    assert found["human"] == Tweet.objects.filter(kind=Kind.HUMAN, split="play").count()
    assert (found["pace"], found["share"], found["rests_until"]) == (6.0, 40.0, None)


def test_a_model_whose_batches_came_to_nothing_rests(failure: Batch, moderator: Client) -> None:
    soon = NOW + timedelta(hours=1)
    Batch.objects.update(finished_at=soon)
    assert stock()["rests_until"] == soon + timedelta(minutes=1)
    page = moderator.get("/generation/").content.decode()
    assert f"tiny v1 rests until {stock()['rests_until']:%H:%M}: its last batches came to nothing." in page


def test_workers_are_told_with_what_they_are_at_and_who_is_away(moderator: Client) -> None:
    away = timezone.now() - timedelta(minutes=3)
    workers.arrive(name="generation@attic", device="cuda:1")
    workers.arrive(name="generation@barn", device="cpu")
    Worker.objects.filter(name="generation@barn").update(seen_at=away, doing="Writing 5 tweets")
    Worker.objects.filter(name="generation@attic").update(doing="Writing 9 tweets for Owls")
    page = moderator.get("/generation/").content.decode()
    assert "Writing 9 tweets for Owls" in page
    assert "Writing 5 tweets" not in page
    assert "seen 3 minutes ago" in page
    assert "No worker has been seen" not in page
    Worker.objects.update(seen_at=away)
    page = moderator.get("/generation/").content.decode()
    assert "No worker has been seen for 3 minutes." in page
    assert "Last seen: generation@attic, generation@barn" in page


def test_the_queue_counts_what_waits_and_what_runs(model: ModelVersion) -> None:
    assert selectors.read_queue(now=NOW) == {"running": 0, "waiting": 0, "tweets": 0, "oldest": ""}
    running, *_ = (batches.create_batch(model_version=model, wanted=wanted) for wanted in (10, 20, 30))
    Batch.objects.filter(pk=running.pk).update(state="running")
    later = timezone.now() + timedelta(minutes=2)
    assert selectors.read_queue(now=later) == {"running": 1, "waiting": 2, "tweets": 60, "oldest": "2 minutes"}


def test_the_page_asks_the_database_as_often_for_three_categories_as_for_one(model: ModelVersion, tmp_path, failure: Batch) -> None:
    def ask() -> int:
        with CaptureQueriesContext(connection) as queries:
            selectors.read_page(now=NOW)
        return len(queries)

    before = ask()
    for slug in ("owls", "wrens"):
        category = Category.objects.create(slug=slug, name=slug)
        folder = copy_model(tmp_path / slug, name=slug, category=slug)
        other = promote_model(model_version=register_model(category=category, folder=folder), by=None)
        end(batches.create_batch(model_version=other, wanted=5), "failed", error=f"{slug} is gone")
        workers.arrive(name=slug, device="cpu")
    assert ask() == before
