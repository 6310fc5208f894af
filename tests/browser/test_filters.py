"""Moderators look at what the filters drop, on whatever they hold in their hands."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.actions import DESK, PHONE, SMALL, Open
from tests.browser.look import examine
from tests.stack import Stack

PASSWORD = "eleven-herons-and-a-sieve"
SEED = """
from pathlib import Path
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db.models.functions import Now
from game.pool.models import Category, Tweet
from generation.batches import create_batch
from generation.models import Batch
from generation.rules import Drop
from generation.samples import keep_samples
from generation.screening import Fallen
from generation.versions import promote_model, register_model
from tests.generation.conftest import copy_model

User.objects.create_user("nils", password={password!r}).groups.add(Group.objects.get(name="moderator"))
folder = copy_model(Path(settings.VAR_DIR) / "model-sieve", name="sieve", category="finches")
category = Category.objects.create(slug="finches", name="Finches of the long, long hedge", active=False)
model = promote_model(model_version=register_model(category=category, folder=folder), by=None)
batch = create_batch(model_version=model, wanted=1500)
dropped = {{drop.value: 3 ** place % 2011 for place, drop in enumerate(Drop)}}
Batch.objects.filter(pk=batch.pk).update(
    state="done", finished_at=Now(), made=sum(dropped.values()) + 1500, kept=1500, dropped=dropped
)
near = Tweet.objects.filter(category__slug="harbour").first().pk
keep_samples(batch=batch, fallen=[
    Fallen(Drop.NEAR, "Ada walked out to the end of the pier seven times this week and counted the boats.", "83% alike", near),
    Fallen(Drop.MADE_UP_WORD, "The finches " + "z" * 90 + " and blorfed away.", "z" * 90 + ", blorfed"),
    *(Fallen(Drop.INCOMPLETE, f"The finches of hedge {{number}} went out and") for number in range(15)),
])
"""


@pytest.fixture(scope="module")
def sieved(game: Stack) -> Stack:
    game.manage("shell", "--no-imports", "-c", SEED.format(password=PASSWORD))
    return game


@pytest.fixture
def nils(open_page: Open, sieved: Stack) -> Callable[..., Page]:
    """Return a function that opens a page of a moderator, on a device of his."""

    def open_signed_in(path: str, **options: Any) -> Page:
        page = open_page(f"/account/sign-in/?next={path}", **options)
        page.get_by_label("Username").fill("nils")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**{path}")
        return page

    return open_signed_in


@pytest.mark.parametrize("device", [SMALL, PHONE, DESK], ids=["small", "phone", "desk"])
def test_the_page_fits_and_axe_finds_nothing(nils, device: dict[str, Any]) -> None:
    page = nils("/generation/filters/", **device)
    for summary in page.locator(".strainer__head").all():
        summary.click()
    expect(page.locator(".strainer[open]")).to_have_count(18)
    assert examine(page, "filters") == []
    # Bars are as long as their shares say.
    longest, *_, shortest = (box["width"] for bar in page.locator(".strainer__fill").all()[:16] if (box := bar.bounding_box()))
    assert longest > shortest


def test_somebody_finds_out_what_a_tweet_was_near_to_by_keys_alone(nils) -> None:
    page = nils("/generation/", **DESK)
    page.get_by_role("link", name="What the filters drop").click()
    page.get_by_label("Category").select_option("Finches of the long, long hedge")
    page.get_by_role("button", name="Show").press("Enter")
    page.wait_for_url("**category=finches**")
    page.locator(".strainer__head", has_text="Near-copy").focus()
    page.keyboard.press("Enter")
    near = page.locator(".strainer[open]")
    expect(near).to_contain_text("83% alike")
    expect(near).to_contain_text("of the pool, by ada_harbour")
    page.locator(".strainer__head", has_text="Incomplete").press("Enter")
    expect(page.locator(".strainer", has_text="Incomplete").locator(".strained")).to_have_count(10)
    page.get_by_role("link", name="What cleaning drops of people's posts").click()
    page.wait_for_url("**/scraping/category/finches/")
