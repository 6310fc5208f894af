"""Moderators watch generation: what they see change under their eyes, press, and are told to do."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.actions import DESK, DEVICES, Open, tab_to
from tests.browser.look import Fault, examine
from tests.stack import Stack

PASSWORD = "nine-herons-and-a-kite"
# A category whose model writes, one whose model is resting, one that nobody writes for; what they failed at.
SEED = """
from pathlib import Path
from django.conf import settings
from django.contrib.auth.models import Group, User
from game.pool.models import Category
from generation.versions import promote_model, register_model
from tests.generation.conftest import copy_model

User.objects.create_user("nora", password={password!r}).groups.add(Group.objects.get(name="moderator"))
for slug, name in (("wrens", "Wrens of the hedge"), ("owls", "Owls")):
    folder = copy_model(Path(settings.VAR_DIR) / f"model-{{slug}}", name=slug, category=slug)
    promote_model(model_version=register_model(category=Category.objects.create(slug=slug, name=name), folder=folder), by=None)
"""
CLEAR = """
from game.pool.models import Tweet
from generation.duel.models import Prompt
from generation.models import Batch, Worker
Tweet.objects.filter(category__slug__in=["wrens", "owls"]).delete()
Prompt.objects.all().delete()
Batch.objects.all().delete()
Worker.objects.all().delete()
"""
# What workers and the clock do, without them.
PLAY = """
from datetime import timedelta
from django.utils import timezone
from django.db.models.functions import Now
from game.pool.models import Category, Kind, Status, Tweet
from game.pool.services import NewTweet, add_tweets
from generation import workers
from generation.batches import announce_page, create_batch
from generation.models import Batch, ModelVersion, Worker
model = {{slug: ModelVersion.objects.get(name=slug) for slug in ("wrens", "owls")}}
def finish(batch, state, **what):
    at = timezone.now()
    Batch.objects.filter(pk=batch.pk).update(state=state, started_at=at - timedelta(seconds=4), finished_at=at, **what)
{code}
announce_page()
"""
BUSY = """
for name in ("generation@attic", "generation@a-machine-with-a-rather-long-name.example.org"):
    workers.arrive(name=name, device="cuda:1" if "attic" in name else "cpu")
Worker.objects.filter(name="generation@attic").update(doing="Writing 100 tweets for Wrens of the hedge")
Worker.objects.exclude(name="generation@attic").update(seen_at=Now() - timedelta(minutes=7))
done = create_batch(model_version=model["wrens"], wanted=100)
finish(done, "done", made=250, kept=100, tries=1)
texts = [f"Wren number {number} sat in the hedge and sang about the weather." for number in range(60)]
add_tweets(category=model["wrens"].category, status=Status.APPROVED, tweets=[NewTweet(model["wrens"].author, text) for text in texts])
Tweet.objects.filter(pk__in=Tweet.objects.filter(author=model["wrens"].author).values("pk")[:20]).update(first_dealt_at=timezone.now())
running = create_batch(model_version=model["wrens"], wanted=100)
Batch.objects.filter(pk=running.pk).update(state="running", tries=1)
create_batch(model_version=model["wrens"], wanted=80)
for number in range(3):
    finish(create_batch(model_version=model["owls"], wanted=50), "failed", tries=1,
           error="UnusableModelError: /models/owls-v1 holds no model that can be loaded on cpu: model.bin is incomplete: failed to read")
"""


@pytest.fixture(scope="module")
def play(game: Stack) -> Iterator[Callable[[str], None]]:
    """Return a function that plays the part of workers and clock; the real ones rest."""
    for name in ("beat", "worker"):
        game.stop(name)
    game.manage("shell", "--no-imports", "-c", SEED.format(password=PASSWORD))

    def act(code: str) -> None:
        game.manage("shell", "--no-imports", "-c", PLAY.format(code=code))

    yield act
    game.manage(
        "shell",
        "--no-imports",
        "-c",
        f"{CLEAR}\nfrom game.pool.models import Category\nCategory.objects.filter(slug__in=['wrens', 'owls']).update(active=False)",
    )
    game.start_worker()
    game.start_beat()


@pytest.fixture(autouse=True)
def nothing_yet(game: Stack, play: Callable[[str], None]) -> None:
    game.manage("shell", "--no-imports", "-c", CLEAR)


@pytest.fixture
def nora(open_page: Open) -> Callable[..., Page]:
    """Return a function that opens the page as a moderator, on a device of hers."""

    def open_signed_in(**options: Any) -> Page:
        page = open_page("/account/sign-in/?next=/generation/", **options)
        page.get_by_label("Username").fill("nora")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/generation/")
        return page

    return open_signed_in


def figures(page: Page, name: str) -> dict[str, str]:
    """Return the figures of a category as they are read."""
    sheet = page.get_by_role("article", name=name)
    return dict(zip(sheet.locator("dt").all_inner_texts(), sheet.locator(".figure__value").all_inner_texts(), strict=True))


@DEVICES
def test_what_workers_do_is_seen_at_once_and_nothing_moves(nora, play, device: dict[str, Any]) -> None:
    page = nora(**device)
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator("#workers")).to_contain_text("No worker has been seen here yet.")
    expect(page.locator("#failures")).to_contain_text("Nothing failed.")
    page.evaluate("shifts.length = 0")
    play(BUSY)
    expect(page.locator("#workers")).to_contain_text("Writing 100 tweets for Wrens of the hedge")
    assert page.locator(".worker").all_inner_texts() == [
        "generation@attic\ncuda:1\nWriting 100 tweets for Wrens of the hedge\nseen just now",
        "generation@a-machine-with-a-rather-long-name.example.org\ncpu\nAway\nseen 7 minutes ago",
    ]
    assert figures(page, "Wrens of the hedge") == {
        "Bot": "40", "Human": "0", "Used up": "20", "Lasts": "2 hours", "Writes": "25.0", "Keeps": "40 %",
    }  # fmt: skip
    expect(page.get_by_role("article", name="Owls")).to_contain_text("owls v1 rests until")
    assert page.locator("#queue .figure__value").all_inner_texts() == ["1", "1", "180"]
    expect(page.locator(".failure")).to_have_count(1)
    expect(page.locator(".failure")).to_contain_text("3 batches since")
    assert page.evaluate("shifts") == []


def test_a_failure_is_tried_again_and_another_cleared_by_keys_alone(nora, play) -> None:
    page = nora()
    play(BUSY + 'finish(create_batch(model_version=model["owls"], wanted=9), "failed", tries=3, error="BackendError: no memory")')
    expect(page.locator(".failure")).to_have_count(2)
    tab_to(page, "Try again Owls, owls v1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is tried again as soon as a worker is free.")).to_be_visible()
    expect(page.locator(".failure")).to_have_count(1)
    assert page.locator("#queue .figure__value").all_inner_texts() == ["1", "2", "189"]
    tab_to(page, "Clear Owls, owls v1")
    page.keyboard.press("Enter")
    expect(page.locator("#failures")).to_contain_text("Nothing failed.")


def test_that_all_workers_are_away_is_said_with_what_to_do(nora, play) -> None:
    page = nora()
    play(BUSY)
    expect(page.locator(".away")).to_have_count(0)
    play("Worker.objects.filter(name='generation@attic').update(seen_at=Now() - timedelta(minutes=3))")
    expect(page.locator(".away")).to_contain_text("No worker has been seen for 3 minutes.")
    expect(page.locator(".away")).to_contain_text("celery -A game worker -Q clock,duel,generation")
    expect(page.locator(".away")).to_contain_text("Last seen: generation@a-machine-with-a-rather-long-name.example.org, generation@attic")


@DEVICES
def test_the_page_has_no_accessibility_fault_and_never_scrolls_sideways(nora, play, device: dict[str, Any]) -> None:
    page = nora(**device)
    faults: list[Fault] = []

    faults += examine(page, "nobody")
    play(BUSY)
    page.reload()
    expect(page.locator(".failure")).to_have_count(1)
    faults += examine(page, "busy")
    assert faults == []


def test_without_scripts_the_page_shows_the_same_and_a_failure_is_tried_again(nora, play) -> None:
    play(BUSY)
    page = nora(java_script_enabled=False, **DESK)
    expect(page.locator(".worker").first).to_contain_text("Writing 100 tweets for Wrens of the hedge")
    page.get_by_role("button", name="Try again Owls").click()
    expect(page.locator("#failures")).to_contain_text("Nothing failed.")
