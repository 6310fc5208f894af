"""The duel as people see it: asked, filled while they look, shared, reported, decided on. The models and their worker are real."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.actions import DESK, DEVICES, PHONE, Open, tab_to
from tests.browser.look import Fault, examine
from tests.stack import Stack

PASSWORD = "seven-herons-and-a-boat"
LEFT, RIGHT = "Left bank", "Right bank"
# Two decks with a model each, somebody who decides, and prompts: answered, half answered, waiting, failed.
SEED = """
from datetime import timedelta
from pathlib import Path
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.utils import timezone
from game.pool.models import Category
from generation.duel.models import Column, Completion, Prompt
from generation.duel.rules import prompt_key
from generation.versions import promote_model, register_model
from tests.generation.conftest import copy_model

User.objects.create_user("odile", password={password!r}).groups.add(Group.objects.get(name="moderator"))
models = []
for name in ({left!r}, {right!r}):
    slug = name.lower().replace(" ", "-")
    category = Category.objects.create(slug=slug, name=name)
    folder = copy_model(Path(settings.VAR_DIR) / slug, name=slug, category=slug)
    models.append(promote_model(model_version=register_model(category=category, folder=folder), by=None))
later = timezone.now() + timedelta(hours=9)
MOODS = ("negative", "positive", "negative", "neutral", "negative")

def ask(text, *states, status="approved"):
    prompt = Prompt.objects.create(text=text, key=prompt_key(text), status=status, visits=3)
    for model, state in zip(models, states):
        finished = timezone.now() if state in ("done", "failed") else None
        column = Column.objects.create(prompt=prompt, model_version=model, state=state, lease_until=later, finished_at=finished)
        for place, mood in enumerate(MOODS if state == "done" else ()):
            said = text + f" walked to the end of pier {{place}}, counted the boats, and told everybody at the table." * (place + 1)
            Completion.objects.create(column=column, place=place, text=said[:270], mood=mood, compound=0.0)
    return prompt.token

for name, states in (("full", ("done", "done")), ("half", ("done", "pending")), ("cut", ("pending", "done")), ("bad", ("done", "failed")),
                     ("slow", ("running", "pending"))):
    print("token", name, ask(f"My {{name}} neighbour", *states))
print("token odd", ask('The "gull" & <b>', "done", "done", status="pending"))
"""
# Other pages tell what waits and what failed here.
CLEAR = """
from generation.duel.models import Prompt
Prompt.objects.all().delete()
"""
# What a worker does.
ANSWER = """
from generation.duel.columns import complete_column
from generation.duel.models import Column
for column in Column.objects.filter(prompt__token={token!r}, state="pending"):
    complete_column(column_id=column.pk)
"""


@pytest.fixture(scope="module")
def tokens(game: Stack) -> Iterator[dict[str, str]]:
    """Return the tokens of prompts by name; until they are gone again no other deck's model answers."""
    others = "SELECT category_id FROM generation_modelversion WHERE state = 'active'"
    with game.connect() as connection:
        switched = connection.execute(f"UPDATE pool_category SET active = false WHERE active AND id IN ({others}) RETURNING id").fetchall()
    printed = game.manage("shell", "--no-imports", "-c", SEED.format(password=PASSWORD, left=LEFT, right=RIGHT))
    yield dict(line.split()[1:] for line in printed.splitlines() if line.startswith("token "))
    game.manage("shell", "--no-imports", "-c", CLEAR)
    with game.connect() as connection:
        connection.execute("UPDATE pool_category SET active = false WHERE name IN (%s, %s)", (LEFT, RIGHT))
        connection.execute("UPDATE pool_category SET active = true WHERE id = ANY(%s)", ([pk for (pk,) in switched],))


@pytest.fixture
def answer(game: Stack) -> Callable[[str], object]:
    """Return a function that does what a worker would with a waiting prompt."""
    return lambda token: game.manage("shell", "--no-imports", "-c", ANSWER.format(token=token))


def column(page: Page, name: str) -> Any:
    return page.get_by_role("region", name=name, exact=True)


def settle(page: Page) -> None:
    """Wait until what a click opened has moved what it may, and forget that it did."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100))).then(() => { shifts.length = 0; })")


def test_a_new_prompt_is_answered_by_all_while_two_look_on_and_nothing_moves(open_page: Open, tokens) -> None:
    phone = open_page("/duel/", **PHONE)
    phone.get_by_label("Begin a tweet").fill("The people of this town")
    phone.get_by_role("button", name="Ask the bots").click()
    phone.wait_for_url(re.compile(r"/duel/[\w-]{22}/$"))
    expect(phone.get_by_role("heading", level=1)).to_have_text("“The people of this town …”")
    expect(phone.get_by_role("heading", level=1)).to_be_focused()
    desk = open_page(phone.url, **DESK)
    for page in (phone, desk):
        settle(page)
    for page in (phone, desk):
        for name in (LEFT, RIGHT):
            expect(column(page, name).locator(".posts .tweet b").first).to_have_text("The people of this town", timeout=60_000)
        expect(page.locator("#progress")).to_have_text("Seen 2 times", timeout=60_000)
        assert page.evaluate("shifts") == []
    expect(desk.locator("#told")).to_have_text("Seen 2 times")
    seen = desk.locator("#columns").inner_text()
    desk.reload()
    assert desk.locator("#columns").inner_text() == seen
    phone.go_back()
    expect(phone.get_by_role("button", name="Ask the bots")).to_be_visible()


def test_what_is_opened_and_focused_outlives_what_arrives(open_page: Open, tokens, answer) -> None:
    page = open_page(f"/duel/{tokens['half']}/", **DESK)
    expect(page.locator("#live")).to_have_text("Live")
    left = column(page, LEFT)
    left.get_by_text("2 in other moods").click()
    menu = left.get_by_label("Share, report or send tweet 1")
    menu.click()
    left.get_by_role("link", name="Report").click()
    expect(left.get_by_role("radio")).to_have_count(5)
    left.get_by_label("Something else").check()
    settle(page)
    answer(tokens["half"])
    expect(column(page, RIGHT).locator(".posts:not(.posts--waiting) .post").first).to_be_visible()
    assert page.evaluate("shifts") == []
    expect(left.get_by_label("Something else")).to_be_checked()
    expect(left.get_by_label("Something else")).to_be_focused()
    expect(left.locator("details.others")).to_have_attribute("open", "")


def test_a_page_catches_up_by_itself_after_its_connection_was_cut(browser: Browser, tokens, answer, game: Stack) -> None:
    page = browser.new_page(base_url=game.base_url, **PHONE)
    page.goto(f"/duel/{tokens['cut']}/")
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator("#progress")).to_have_text("1 of 2 answered")
    game.kill("web")
    expect(page.locator("#live")).to_have_text("Reconnecting")
    answer(tokens["cut"])
    game.start_web()
    expect(column(page, LEFT).locator(".posts:not(.posts--waiting) .post").first).to_be_attached(timeout=30_000)
    expect(page.locator("#live")).to_have_text("Live")
    page.close()


def test_a_tweet_is_asked_for_reported_and_shared_by_keys_alone(open_page: Open, tokens) -> None:
    page = open_page("/duel/", **DESK)
    expect(page.get_by_label("Begin a tweet")).to_be_focused()
    page.keyboard.type("my full neigh")
    expect(page.locator("#suggestions option")).to_have_count(1)
    expect(page.locator("#suggestions option")).to_have_attribute("value", "My full neighbour")
    page.keyboard.type("bour")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/duel/{tokens['full']}/")
    for key in ("Tab", "Tab", "Tab"):
        page.keyboard.press(key)
    expect(page.get_by_label("Share, report or send tweet 1").first).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, "Report")
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio")).to_have_count(5)
    expect(page.get_by_role("radio").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    tab_to(page, "Report it")
    page.keyboard.press("Enter")
    expect(page.locator(".menu__told")).to_have_text("Thank you. A moderator will look at it.")
    expect(page.locator(".menu__told")).to_be_focused()
    tab_to(page, "")
    page.keyboard.press("Enter")
    tab_to(page, "Share")
    page.keyboard.press("Enter")
    page.wait_for_url("**/duel/completion/*/")
    expect(page.get_by_role("link", name="See the whole duel")).to_be_visible()


def test_what_can_not_be_asked_is_told_at_the_field_and_nothing_is_lost(open_page: Open, tokens) -> None:
    page = open_page("/duel/", **PHONE)
    field = page.get_by_label("Begin a tweet")
    field.fill("look at https://example.org")
    page.get_by_role("button", name="Ask the bots").click()
    expect(page.get_by_role("alert")).to_contain_text("No links, please")
    expect(field).to_have_value("look at https://example.org")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("my full neighbour")
    field.press("Enter")
    page.wait_for_url(f"**/duel/{tokens['full']}/")


def test_a_phone_shows_one_column_and_the_edge_of_the_next(open_page: Open, tokens) -> None:
    page = open_page(f"/duel/{tokens['full']}/", **PHONE)
    left, right = (column(page, name).bounding_box() for name in (LEFT, RIGHT))
    assert left["x"] == 16
    assert left["x"] + left["width"] < right["x"] < 360 - 24
    page.get_by_role("link", name=RIGHT).click()
    page.wait_for_function("document.getElementById('columns').scrollLeft > 200")
    assert column(page, RIGHT).bounding_box()["x"] + right["width"] <= 360
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_without_scripts_everything_is_a_page(open_page: Open, tokens) -> None:
    page = open_page("/duel/", java_script_enabled=False, **PHONE)
    page.get_by_label("Begin a tweet").fill("My slow neighbour")
    page.get_by_role("button", name="Ask the bots").click()
    expect(page.get_by_text("Writing now")).to_be_visible()
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_text("Writing now")).to_be_visible()
    page.goto(f"/duel/{tokens['full']}/")
    page.get_by_label("Share, report or send tweet 2").last.click()
    page.get_by_role("button", name="Send to the pool").last.click()
    expect(page.locator(".told")).to_have_text("Sent. It is played once a moderator has approved it.")
    page.get_by_role("link", name="Report it").click()
    page.get_by_label("Something else").check()
    page.get_by_role("button", name="Report it").click()
    expect(page.locator(".told")).to_have_text("Thank you. A moderator will look at it.")


def sign_in(page: Page, path: str) -> None:
    """Sign in as a moderator, and go to a page."""
    page.goto(f"/account/sign-in/?next={path}")
    page.get_by_label("Username").fill("odile")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{path}")


@DEVICES
def test_no_page_of_the_duel_has_an_accessibility_fault_or_scrolls_sideways(open_page: Open, tokens, device: dict[str, Any]) -> None:
    page = open_page("/duel/", **device)
    faults: list[Fault] = []

    faults += examine(page, "front")
    page.get_by_label("Begin a tweet").fill("@somebody hello")
    page.get_by_role("button", name="Ask the bots").click()
    expect(page.get_by_role("alert")).to_be_visible()
    faults += examine(page, "refused")
    for name in ("slow", "half", "bad", "odd"):
        page.goto(f"/duel/{tokens[name]}/")
        faults += examine(page, name)
    page.goto(f"/duel/{tokens['full']}/")
    for fold in page.locator(".others > summary").all():
        fold.click()
    for place in (0, 1):
        page.locator(".menu summary").nth(place).click()
    page.locator(".menu[open]").get_by_role("link", name="Report").last.click()
    expect(page.get_by_role("radio")).to_have_count(5)
    faults += examine(page, "filled, with everything open")
    page.get_by_role("link", name="Share").first.click()
    page.wait_for_url("**/duel/completion/*/")
    faults += examine(page, "completion")
    page.get_by_role("link", name="Report it").click()
    faults += examine(page, "report")
    sign_in(page, "/duel/moderate/")
    faults += examine(page, "desk")
    assert faults == []


def test_a_moderator_decides_several_at_once_and_changes_their_mind(open_page: Open, tokens, game: Stack) -> None:
    page = open_page("/", **DESK)
    sign_in(page, "/")
    page.get_by_role("link", name="Prompts").click()
    page.get_by_label("All", exact=False).first.check()
    page.get_by_role("button", name="Approve the ticked").click()
    expect(page.get_by_text("Approved, and offered to others from now on.")).to_be_visible()
    expect(page.get_by_text("Nothing to decide.")).to_be_visible()
    page.get_by_role("button", name='Reject The "gull" & <b>').click()
    expect(page.get_by_role("button", name='Approve The "gull" & <b>')).to_be_visible()
    stranger = open_page(f"/duel/{tokens['odd']}/")
    expect(stranger.get_by_role("alert")).to_have_text("A moderator has taken that beginning out. Try another.")
