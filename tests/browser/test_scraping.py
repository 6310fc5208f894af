"""Moderators fetch posts: what they see arrive, press, and can always come back to. The worker is real, the Bluesky it reads is not."""

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.actions import DESK, DEVICES, Open, tab_to
from tests.browser.look import Fault, examine
from tests.fakes.bluesky import BlueskyFake
from tests.fakes.server import Reply, Request, Trouble
from tests.fakes.world import World
from tests.stack import Stack

PASSWORD = "seven-herons-and-a-boat"
SEED = """
from django.contrib.auth.models import Group, User
User.objects.create_user("nell", password={password!r}).groups.add(Group.objects.get(name="moderator"))
"""
LONG = f"{'a-very-long-name' * 3}-on-a-hill.example.org"
OUT = f"left.{LONG}"


class GatedBluesky(BlueskyFake):
    """An AppView that hands out pages of posts when it is let."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.pages = threading.Semaphore(0)

    def answer(self, request: Request) -> Reply:
        """Answer, a page of posts not before it is let."""
        if "getAuthorFeed" in request.path:
            self.pages.acquire(timeout=20)
        return super().answer(request)

    def let(self, pages: int = 1000) -> None:
        """Let so many pages of posts go."""
        self.pages.release(pages)


@pytest.fixture(scope="module")
def scraper(game: Stack) -> Iterator[Stack]:
    """Run a scraping worker beside the game for the tests of this module; where it reads is for each to say."""
    world = World()
    for name in ("phone", "desk", "keys", "plain", "banned", "daily"):
        world.add(f"{name}.sky.example.org", posts=500)
    world.add(LONG, posts=120)
    world.add(OUT, posts=20)
    game.manage("shell", "--no-imports", "-c", SEED.format(password=PASSWORD))
    with GatedBluesky(world) as fake:
        game.env["SCRAPE_BLUESKY_URL"] = fake.url
        game.start_scraper()
        game.bluesky = fake  # type: ignore[attr-defined]
        yield game
        fake.let()
        game.stop("scraper")
        del game.env["SCRAPE_BLUESKY_URL"]


@pytest.fixture
def bluesky(scraper: Stack) -> Iterator[GatedBluesky]:
    """Return the Bluesky that is read, which hands out nothing yet; after the test it hands out all."""
    fake: GatedBluesky = scraper.bluesky  # type: ignore[attr-defined]
    fake.pages = threading.Semaphore(0)
    yield fake
    fake.let()
    with scraper.connect() as connection:
        connection.execute("DELETE FROM scraping_sourcestatus")


@pytest.fixture
def nell(open_page: Open, scraper: Stack) -> Callable[..., Page]:
    """Return a function that opens a page of a moderator, on a device of hers."""

    def open_signed_in(path: str = "/scraping/", **options: Any) -> Page:
        page = open_page(f"/account/sign-in/?next={path}", **options)
        page.get_by_label("Username").fill("nell")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**{path}")
        return page

    return open_signed_in


def own_posts(bluesky: GatedBluesky, handle: str) -> list[Any]:
    """Return what the AppView lists of an account: all but replies."""
    return [post for post in bluesky.world.people[handle].posts if post.reply_to is None]


def start(page: Page, category: str, handles: str) -> str:
    """Start a run of a category, and return the path of its page."""
    page.goto("/scraping/")
    page.get_by_label("Category").fill(category)
    page.get_by_label("Accounts to add").fill(handles)
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/scraping/run/*/")
    return page.url[page.url.index("/scraping/") :]


@DEVICES
def test_two_who_watch_see_posts_come_and_nothing_moves(nell, bluesky: GatedBluesky, device: dict[str, Any]) -> None:
    name = "phone" if device["viewport"]["width"] < 500 else "desk"
    mine = nell(**device)
    path = start(mine, f"Sky of a {name}", f"bluesky:{name}.sky.example.org\nhttps://bsky.app/profile/nobody.sky.example.org")
    hers, listed = nell(path, **device), nell(**device)
    for page in (mine, hers, listed):
        expect(page.locator("#live")).to_have_text("Live")
        page.evaluate("shifts.length = 0")
    for pages, posts in ((1, 100), (2, 200), (3, 300)):
        bluesky.let(1)
        for page in (mine, hers):
            expect(page.locator("#now")).to_contain_text(f"{pages} page{'s' if pages > 1 else ''} · {posts} posts")
            expect(page.locator("#dropped")).to_contain_text("Retweet")
    expect(mine.locator(".visit").filter(has_text=f"{name}.sky")).to_contain_text("Fetching")
    expect(mine.locator(".visit").filter(has_text="nobody.sky")).to_contain_text("Skipped")
    bluesky.let()
    for page in (mine, hers):
        expect(page.locator(".now__state")).to_have_text("Done")
        expect(page.locator("#told")).to_have_text("Done")
        expect(page.get_by_role("button", name="Cancel the run")).to_be_hidden()
    category = listed.get_by_role("article", name=f"Sky of a {name}")
    expect(category).to_contain_text("2 accounts: 1 open, 1 missing")
    expect(category.locator(".figure__value").first).to_have_text(str(len(own_posts(bluesky, f"{name}.sky.example.org"))))
    assert [page.evaluate("shifts") for page in (mine, hers, listed)] == [[], [], []]
    seen = [mine.locator(f"#{part}").inner_text() for part in ("now", "visits", "dropped", "notes")]
    expect(mine.locator("#newer")).to_have_text("Reload the page to see some of them.")
    mine.reload()
    expect(mine.locator("#newer")).to_be_hidden()
    assert [mine.locator(f"#{part}").inner_text() for part in ("now", "visits", "dropped", "notes")] == seen
    expect(mine.get_by_role("region", name="Retweet").locator(".dropped-post")).to_have_count(5)
    mine.get_by_role("link", name="More dropped: retweet").click()
    assert mine.locator(".dropped-post").count() > 5


def test_a_run_is_started_cancelled_and_started_again_by_keys_alone(nell, bluesky: GatedBluesky) -> None:
    page = nell()
    tab_to(page, "Category")
    page.keyboard.type("Sky of keys")
    tab_to(page, "Accounts to add")
    page.keyboard.type("bluesky:keys.sky.example.org")
    tab_to(page, "Limits and language")
    page.keyboard.press("Enter")
    tab_to(page, "Posts per account")
    page.keyboard.type("400")
    tab_to(page, "Start")
    page.keyboard.press("Enter")
    page.wait_for_url("**/scraping/run/*/")
    expect(page.locator(".now__state")).to_have_text("Fetching")
    tab_to(page, "Cancel the run")
    page.keyboard.press("Enter")
    expect(page.locator(".now__state")).to_have_text("Stopping")
    page.wait_for_timeout(1_500)  # the worker asks once a second whether somebody wants it to end
    bluesky.let(1)
    expect(page.locator(".now__state")).to_have_text("Cancelled", timeout=30_000)
    expect(page.locator("#now")).to_contain_text("Cancelled by nell.")
    tab_to(page, "Start again")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Category")).to_have_value("sky-of-keys")
    expect(page.get_by_label("Posts per account")).to_have_value("400")


def test_a_source_that_sends_us_away_rests_until_somebody_says_otherwise(nell, bluesky: GatedBluesky) -> None:
    mine, hers = nell(), nell()
    bluesky.troubles.append(Trouble(path="getAuthorFeed", reply=lambda request: Reply({"error": "Forbidden"}, 403)))
    path = start(mine, "Banned sky", "bluesky:banned.sky.example.org")
    expect(mine.locator(".now__state")).not_to_have_text("Waiting")
    source = hers.locator("#source-bluesky")
    expect(source).to_contain_text("Resting")
    expect(source).to_contain_text("It is left alone until")
    expect(source).to_contain_text("403")
    mine.goto("/scraping/")
    mine.get_by_role("button", name="Ask it again Bluesky").click()
    expect(mine.get_by_text("Bluesky will be asked again by the next run.")).to_be_visible()
    expect(source).to_contain_text("Ready")
    mine.goto(path)
    expect(mine.locator(".visit")).to_contain_text("banned.sky.example.org")


def test_a_category_is_looked_after_and_a_person_taken_out(nell, bluesky: GatedBluesky) -> None:
    bluesky.let()
    page = nell()
    start(page, "Sky to look after", f"bluesky:daily.sky.example.org\nbluesky:{OUT}")
    expect(page.locator(".now__state")).to_have_text("Done")
    page.get_by_role("link", name="Sky to look after").click()
    page.get_by_role("button", name=f"Take off {OUT}").click()
    expect(page.locator(".account").filter(has_text=OUT)).to_contain_text("Off the list")
    page.get_by_role("button", name=f"Put back {OUT}").click()
    expect(page.locator(".account").filter(has_text=OUT)).to_contain_text("Open")
    page.get_by_label("Fetch what is new, and check for deletions").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Sky to look after is fetched every day from now on.")).to_be_visible()
    page.get_by_role("link", name=f"Opt out {OUT}").click()
    page.get_by_label("Why?").fill("they wrote to us")
    page.get_by_role("button", name="Take out for good").click()
    expect(page.get_by_text(f"{OUT} is out for good.")).to_be_visible()
    expect(page.locator(".account").filter(has_text=OUT)).to_contain_text("Opted out")
    expect(page.get_by_role("link", name=f"Opt out {OUT}")).to_have_count(0)
    page.get_by_label("Fetch what is new, and check for deletions").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("is fetched when somebody asks for it.").first).to_be_visible()


@DEVICES
def test_no_page_of_scraping_has_an_accessibility_fault_or_scrolls_sideways(nell, bluesky: GatedBluesky, device: dict[str, Any]) -> None:
    page = nell(**device)
    faults: list[Fault] = []

    def unfold(name: str) -> None:
        page.locator("details").evaluate_all("(folds) => { for (const fold of folds) fold.open = true; }")
        faults.extend(examine(page, name))

    unfold("list")
    page.get_by_label("Category").fill("A sky of no kind")
    page.get_by_label("Accounts to add").fill(f"telegram:{'a' * 64}")
    page.get_by_label("Posts per account").fill("0")
    page.locator(".panel form").evaluate("(form) => { form.noValidate = true; }")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_label("Posts per account")).to_have_attribute("aria-invalid", "true")
    unfold("refused")
    page.get_by_label("Accounts to add").fill("x:ada")
    page.get_by_label("Posts per account").fill("10")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("button", name="Start, for $0.06 at most")).to_be_visible()
    unfold("what it costs")
    start(page, f"Sky of {device['viewport']['width']}", f"bluesky:{LONG}")
    unfold("waiting")
    bluesky.let(1)
    expect(page.locator("#now")).to_contain_text("1 page ·")
    unfold("fetching")
    bluesky.let()
    expect(page.locator(".now__state")).to_have_text("Done")
    page.reload()
    unfold("done")
    page.get_by_role("link", name="Has a link").first.click()
    unfold("dropped")
    page.locator(".workshop-head__up a").last.click()
    unfold("category")
    page.get_by_role("link", name="Opt out").click()
    unfold("opt out")
    assert faults == []


def test_without_scripts_a_run_is_started_seen_and_cancelled(nell, bluesky: GatedBluesky) -> None:
    page = nell(java_script_enabled=False, **DESK)
    start(page, "Plain sky", "bluesky:plain.sky.example.org")
    expect(page.locator(".visit")).to_contain_text("plain.sky.example.org")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.locator(".now__state")).to_have_text(re.compile("Stopping|Cancelled"))
