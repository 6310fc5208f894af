"""A class that writes, in real browsers: sheets that outlive frames and reloads, and a desk with one key a text."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.actions import DEVICES, LAPTOP, PHONE, Open
from tests.browser.look import Fault, examine
from tests.stack import Stack

PASSWORD = "seven-herons-and-a-boat"
PROMPT = "Tonight we will"
# A deck with a model, a teacher, and what the model wrote to the prompt before: a worker's seconds are no part of these tests.
SEED = """
from pathlib import Path
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.utils import timezone
from game.pool.models import Category
from generation.duel.models import Column, Completion, Prompt
from generation.versions import promote_model, register_model
from tests.generation.conftest import copy_model

User.objects.create_user("wilma", password={password!r}).groups.add(Group.objects.get(name="teacher"))
category = Category.objects.create(slug="writers", name="Writers")
folder = copy_model(Path(settings.VAR_DIR) / "writers", name="writers", category="writers")
model = promote_model(model_version=register_model(category=category, folder=folder), by=None)
prompt = Prompt.objects.create(text={prompt!r}, key={prompt!r}.lower(), status="approved")
now = timezone.now()
column = Column.objects.create(prompt=prompt, model_version=model, state="done", lease_until=now, finished_at=now)
for place in range(10):
    said = {prompt!r} + f" have {{place + 2}} more of those great crowds in Ohio, and nobody counts them."
    Completion.objects.create(column=column, place=place, text=said, compound=0.0)
"""
# Other pages list decks, and what was asked of models.
CLEAR = """
from game.classroom.models import ClassSession
from game.pool.models import Category
from generation.duel.models import Prompt
ClassSession.objects.filter(teacher__username="wilma").delete()
Prompt.objects.all().delete()
Category.objects.filter(slug="writers").update(active=False)
"""
HOLD = """
import random
from datetime import timedelta
from django.contrib.auth.models import User
from django.utils import timezone
from game.classroom.services import create_session
from game.pool.models import Category
session = create_session(
    teacher=User.objects.get(username="wilma"), mode="write", title="8b", categories=[Category.objects.get(slug="writers")], cards=8,
    card_time=None, speed_points=False, show="each", late_join=True, typed_names=True, keep_days=1, now=timezone.now(),
    rng=random.SystemRandom(), writing_time=timedelta(seconds={seconds}), prompt={prompt!r},
)
print("code", session.code)
"""


@pytest.fixture(scope="module")
def writers(game: Stack) -> Iterator[None]:
    game.manage("shell", "--no-imports", "-c", SEED.format(password=PASSWORD, prompt=PROMPT))
    yield
    game.manage("shell", "--no-imports", "-c", CLEAR)


@pytest.fixture
def code(game: Stack, writers: None) -> str:
    """Return the code of a class that will write."""
    return hold(game)


def hold(game: Stack, seconds: int = 300) -> str:
    printed = game.manage("shell", "--no-imports", "-c", HOLD.format(prompt=PROMPT, seconds=seconds))
    return next(line.split()[1] for line in printed.splitlines() if line.startswith("code "))


def teach(open_page: Open, code: str, device: dict[str, Any] | None = None, *, view: str = "presenter") -> Page:
    """Open a teacher's page of the class."""
    page = open_page(f"/account/sign-in/?next=/class/{code}/{view}/", **(device or {}))
    page.get_by_label("Username").fill("wilma")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**/class/{code}/{view}/")
    page.wait_for_load_state()
    return page


def join(open_page: Open, code: str, name: str, device: dict[str, Any] = PHONE) -> Page:
    """Sit down as a student called `name`."""
    page = open_page(f"/join/{code}/", **device)
    page.get_by_label("Your name in this class").fill(name)
    page.get_by_role("button", name="Join", exact=True).click()
    expect(page.locator("#stage")).to_be_visible()
    page.wait_for_load_state()
    return page


def type_text(page: Page, text: str) -> None:
    """Type on the sheet, and wait until it is kept."""
    page.get_by_label("Go on from here").press_sequentially(text)
    expect(page.locator("#kept")).to_contain_text("Kept.")


def approve_all(teacher: Page, count: int) -> None:
    """Approve one text after the other, a key each."""
    for number in range(1, count + 1):
        expect(teacher.locator("#desk")).to_contain_text(f"Text {number} of {count}")
        teacher.keyboard.press("a")
    expect(teacher.locator("#desk")).to_contain_text(f"All {count} are read")


def test_a_class_writes_and_guesses_whose_is_whose(open_page: Open, code: str) -> None:
    teacher, board = teach(open_page, code, LAPTOP), teach(open_page, code, LAPTOP, view="host")
    pages = {name: join(open_page, code, name) for name in ("Ada", "Bob", "Cleo")}
    teacher.get_by_role("button", name="Start").click()
    expect(board.locator("#stage")).to_contain_text(f"{PROMPT} …")
    for name, page in pages.items():
        type_text(page, f"let {name} count the crowds in the garden")
    expect(board.locator("#stage")).to_contain_text("3 of 3 wrote something")
    teacher.get_by_role("button", name="Stop writing").click()
    expect(pages["Ada"].locator("#stage")).to_contain_text(f"{PROMPT} let Ada count the crowds in the garden")
    # Three by students, as many and three more by the bot.
    approve_all(teacher, 9)
    assert not any(name in teacher.locator("#desk .desk__facts").inner_text() for name in pages)
    teacher.keyboard.press("n")
    expect(teacher.locator("#stage")).to_have_attribute("data-phase", "card")
    seen = {"human": 0, "machine": 0}
    while board.locator("#stage").get_attribute("data-phase") != "podium":
        truth = play_card(teacher, board, pages)
        seen[truth] += 1
    assert seen["human"] == 3
    assert 1 <= seen["machine"] <= 5


def play_card(teacher: Page, board: Page, pages: dict[str, Page]) -> str:
    """Have everybody say Bot who may, check what the board says of it, go on, and return who wrote it."""
    expect(board.locator("#stage")).to_have_attribute("data-phase", "card")
    token = board.locator("#stage").get_attribute("data-card")
    text = board.locator("#stage .tweet").inner_text()
    writer = next((name for name in pages if f"let {name} count" in text), "")
    for name, page in pages.items():
        expect(page.locator("#stage")).to_have_attribute("data-card", token or "")
        if name == writer:
            expect(page.locator("#mine")).to_contain_text("You wrote this one.")
        else:
            page.get_by_role("button", name="Bot", exact=True).click()
    expect(board.locator("#stage")).to_have_attribute("data-phase", "reveal")
    expect(board.locator("#stage")).to_contain_text(f"{writer} wrote it just now" if writer else "The bot")
    phase = go_on(teacher, board, "reveal")
    if phase == "standings":
        go_on(teacher, board, "standings")
    return "human" if writer else "machine"


def go_on(teacher: Page, board: Page, phase: str) -> str | None:
    """Press the key that ends a phase, once the presenter's page is in it, and return the next one."""
    expect(teacher.locator("#stage")).to_have_attribute("data-phase", phase)
    teacher.keyboard.press("n")
    expect(board.locator("#stage")).not_to_have_attribute("data-phase", phase)
    return board.locator("#stage").get_attribute("data-phase")


def test_a_sheet_outlives_a_reload_and_whatever_the_teacher_presses(open_page: Open, code: str) -> None:
    teacher, ada = teach(open_page, code), join(open_page, code, "Ada")
    teacher.get_by_role("button", name="Start").click()
    sheet = ada.get_by_label("Go on from here")
    sheet.press_sequentially("paint")
    # Too short to be kept on the server, and yet there after a reload.
    expect(ada.locator("#kept")).to_contain_text("Not kept.")
    ada.reload()
    expect(sheet).to_have_value("paint")
    sheet.focus()
    ada.keyboard.press("End")
    for press in ("Pause", "Go on", "+ 15 s"):
        version = ada.locator("#stage").get_attribute("data-version") or ""
        teacher.get_by_role("button", name=press).click()
        expect(ada.locator("#stage")).not_to_have_attribute("data-version", version)
        ada.keyboard.type(" the shed")
    expect(sheet).to_have_value("paint the shed the shed the shed")
    expect(sheet).to_be_focused()
    expect(ada.locator("#kept")).to_contain_text("Kept.")


def test_what_was_typed_when_the_time_runs_out_counts(open_page: Open, game: Stack, writers: None) -> None:
    code = hold(game, seconds=6)
    teacher, ada = teach(open_page, code), join(open_page, code, "Ada")
    teacher.get_by_role("button", name="Start").click()
    sheet = ada.get_by_label("Go on from here")
    sheet.press_sequentially("count")
    # On and on, without a pause that would keep it.
    while ada.locator("#stage").get_attribute("data-phase") == "writing":
        ada.keyboard.type(" owls", delay=50)
    expect(ada.locator("#stage")).to_contain_text("You handed in")
    kept = ada.locator("#handed-in .writing__prompt").inner_text()
    assert kept.startswith(f"{PROMPT} count owls owls owls")
    assert ada.evaluate("sessionStorage.length && Object.keys(sessionStorage).filter((key) => key.startsWith('draft:')).length") == 0


def test_the_counter_and_the_refusals_are_told_where_one_writes(open_page: Open, code: str) -> None:
    teacher, ada = teach(open_page, code), join(open_page, code, "Ada")
    teacher.get_by_role("button", name="Start").click()
    sheet = ada.get_by_label("Go on from here")
    sheet.fill("x" * 260)
    expect(ada.locator("#room")).to_have_text("4 left")
    sheet.fill("x" * 270)
    expect(ada.locator("#room")).to_have_text("6 too many")
    expect(sheet).to_have_attribute("aria-invalid", "true")
    expect(ada.locator("#kept")).to_contain_text("Not kept. That is 6 too many")
    sheet.fill("read it on www.shed.example")
    expect(ada.locator("#kept")).to_contain_text("No links, please")


def test_a_sheet_is_kept_once_the_connection_is_back(open_page: Open, code: str) -> None:
    teacher, ada = teach(open_page, code), join(open_page, code, "Ada")
    teacher.get_by_role("button", name="Start").click()
    sheet = ada.get_by_label("Go on from here")
    expect(sheet).to_be_visible()
    ada.context.set_offline(True)
    sheet.fill("paint the whole shed")
    expect(ada.locator("#kept")).to_contain_text("Not kept yet.")
    ada.context.set_offline(False)
    expect(ada.locator("#kept")).to_contain_text("Kept.", timeout=20_000)


def test_decisions_are_taken_back_and_walked_through_with_keys(open_page: Open, code: str) -> None:
    teacher, ada = teach(open_page, code, LAPTOP), join(open_page, code, "Ada")
    teacher.get_by_role("button", name="Start").click()
    type_text(ada, "paint the whole shed")
    teacher.get_by_role("button", name="Stop writing").click()
    desk = teacher.locator("#desk")
    expect(desk).to_contain_text("Text 1 of 6")
    for key, shows in [("a", "Text 2"), ("r", "Text 3"), ("k", "Text 2"), ("j", "Text 3"), ("u", "Text 2"), ("u", "Text 1")]:
        teacher.keyboard.press(key)
        expect(desk).to_contain_text(shows)
    expect(desk).to_contain_text("0 approved, 6 open")


def test_the_projector_tells_how_far_the_reading_is_and_goes_on_by_its_own_key(open_page: Open, code: str) -> None:
    teacher, board = teach(open_page, code, LAPTOP), teach(open_page, code, LAPTOP, view="host")
    ada = join(open_page, code, "Ada")
    board.keyboard.press("n")
    type_text(ada, "paint the whole shed")
    board.keyboard.press("n")
    aside = board.locator(".writing__aside")
    expect(aside).to_contain_text("Approve the texts on your phone.")
    expect(teacher.locator("#desk")).to_contain_text("Text 1 of 6")
    teacher.keyboard.press("a")
    expect(aside).to_contain_text("1 of 6 texts are read.")
    expect(board.locator("#next")).to_have_count(0)
    for number in range(2, 7):
        expect(teacher.locator("#desk")).to_contain_text(f"Text {number} of 6")
        teacher.keyboard.press("a")
    expect(aside).to_contain_text("All 6 texts are read, 6 are approved.")
    board.keyboard.press("n")
    expect(board.locator("#stage")).to_have_attribute("data-phase", "card")


def test_the_desk_goes_on_where_it_was_after_a_reload(open_page: Open, code: str) -> None:
    teacher, ada = teach(open_page, code, LAPTOP), join(open_page, code, "Ada")
    teacher.get_by_role("button", name="Start").click()
    type_text(ada, "paint the whole shed")
    teacher.get_by_role("button", name="Stop writing").click()
    expect(teacher.locator("#desk")).to_contain_text("Text 1 of 6")
    teacher.keyboard.press("a")
    expect(teacher.locator("#desk")).to_contain_text("Text 2 of 6")
    teacher.reload()
    expect(teacher.locator("#desk")).to_contain_text("Text 2 of 6 1 approved, 5 open")


@DEVICES
def test_no_page_of_a_class_that_writes_has_an_accessibility_fault_or_scrolls_sideways(
    open_page: Open, code: str, device: dict[str, Any]
) -> None:
    teacher, board, ada = teach(open_page, code, device), teach(open_page, code, device, view="host"), join(open_page, code, "Ada", device)
    faults: list[Fault] = []

    teacher.get_by_role("button", name="Start").click()
    ada.get_by_label("Go on from here").fill("go")
    expect(ada.locator("#kept")).to_contain_text("Not kept.")
    faults += examine(ada, "refused")
    ada.get_by_label("Go on from here").fill("paint the whole shed and tell Ada")
    expect(ada.locator("#kept")).to_contain_text("Kept.")
    expect(board.locator("#stage")).to_contain_text("1 of 1 wrote something")
    for name, page in (("sheet", ada), ("board", board), ("presenter", teacher)):
        faults += examine(page, name)
    teacher.get_by_role("button", name="Stop writing").click()
    expect(teacher.locator("#desk")).to_contain_text("Text 1 of 6")
    expect(ada.locator("#stage")).to_contain_text("You handed in")
    for name, page in (("handed in", ada), ("board waits", board), ("desk", teacher)):
        faults += examine(page, name)
    for _ in range(6):
        at = teacher.locator(".desk__facts").inner_text()
        teacher.get_by_role("button", name="Approve").click()
        expect(teacher.locator(".desk__facts")).not_to_have_text(at)
    faults += examine(teacher, "desk, all read")
    teacher.goto(f"/class/{code}/texts/")
    faults += examine(teacher, "desk, its own page")
    assert faults == []
