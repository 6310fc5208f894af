"""A whole class in real browsers: a projector, the teacher's phone and five students, while whatever can fail does."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from game.embedded.redis import start_redis, stop_redis
from tests.browser.actions import LAPTOP, PHONE, Open
from tests.browser.classes import answers, button, expect_phase, expect_said, sit_down
from tests.stack import Stack

PASSWORD = "nine-owls-and-a-ferry"
SEED = """
from django.contrib.auth.models import Group, User
User.objects.filter(username="tess").delete()  # of a try that failed
User.objects.create_user("tess", password={password!r}).groups.add(Group.objects.get(name="teacher"))
"""
CLEAR = """
from django.contrib.auth.models import User
User.objects.filter(username="tess").delete()
"""
RIGHT = 100


@pytest.fixture
def tess(game: Stack) -> Iterator[None]:
    """Have a teacher, whose classes go with the test."""
    game.manage("shell", "--no-imports", "-c", SEED.format(password=PASSWORD))
    yield
    game.manage("shell", "--no-imports", "-c", CLEAR)


def open_class(open_page: Open) -> tuple[Page, str]:
    """Make a class of four cards by the teacher's form; return the projector's page, and the class's code."""
    host = open_page("/account/sign-in/?next=/class/new/", **LAPTOP)
    host.get_by_label("Username").fill("tess")
    host.get_by_label("Password").fill(PASSWORD)
    host.get_by_role("button", name="Sign in").click()
    host.wait_for_url("**/class/new/")
    for deck in host.locator("[name=categories]").all():
        deck.set_checked(deck.get_attribute("value") == "harbour")
    host.get_by_label("Cards", exact=True).fill("4")
    host.get_by_label("Time for a card").select_option("90")
    host.get_by_role("button", name="Open the class").click()
    host.wait_for_url("**/host/")
    found = re.search(r"/class/(\w{6})/host/", host.url)
    assert found
    return host, found[1]


def name_of(page: Page) -> str:
    return page.locator(".seat__who").inner_text().split("\n")[0].strip()


def truth_of(host: Page) -> str:
    """Return what the projector says once the card is turned."""
    expect_phase(host, "reveal", timeout=30_000)
    return "human" if "person" in host.locator("#stage [data-tell]").inner_text() else "machine"


def press(page: Page, key: str, phase: str) -> None:
    """Press one of the teacher's keys, and wait for what follows."""
    page.keyboard.press(key)
    expect_phase(page, phase, timeout=30_000)


def say(page: Page, verdict: str, *, last: bool = False) -> None:
    """Answer, and see that it is kept; the `last` answer of all turns the card."""
    expect_phase(page, "card", timeout=30_000)
    button(page, verdict).click()
    if last:
        expect_phase(page, "reveal", timeout=30_000)
    else:
        expect_said(page, verdict)


def restart_redis(game: Stack) -> None:
    stop_redis(game.redis)
    game.redis = start_redis(game.var, careless=True)


@pytest.mark.timeout(300)
def test_a_host_and_five_students_through_a_whole_class(open_page: Open, game: Stack, tess: None) -> None:
    host, code = open_class(open_page)
    students = [open_page("/", **PHONE) for _ in range(5)]
    seats = [sit_down(page, code) for page in students]
    names = [name_of(page) for page in students]
    assert len(set(names)) == 5
    for name in names:
        expect(host.locator("#seats")).to_contain_text(name)
    presenter = host.context.new_page()
    presenter.set_viewport_size(PHONE["viewport"])
    presenter.goto(f"/class/{code}/presenter/")
    expect(presenter.locator("#seats")).to_contain_text("5 students")
    right = dict.fromkeys(names, 0)
    given = dict.fromkeys(names, 0)

    def count(truth: str, said: dict[int, str]) -> None:
        for number, verdict in said.items():
            given[names[number]] += 1
            right[names[number]] += verdict == truth

    # All answer: the card turns by itself.
    press(host, "n", "card")
    said = {number: ("human", "machine")[number % 2] for number in range(5)}
    for number, verdict in said.items():
        say(students[number], verdict, last=number == 4)
    count(truth_of(host), said)
    for number, page in enumerate(students):
        expect_phase(page, "reveal")
        mark = "Right." if right[names[number]] else "Wrong."
        expect(page.locator("#mine .verdict")).to_contain_text(mark)
    press(host, "n", "standings")
    press(host, "n", "card")

    # The web process dies with three answers in, and Redis with everything that waited in it.
    said = dict.fromkeys(range(5), "machine")
    for number in range(3):
        say(students[number], said[number])
    expect(host.locator("#count")).to_contain_text("3")
    game.kill("web")
    button(students[3], "machine").click()
    restart_redis(game)
    game.start_web()
    expect_said(students[3], "machine")
    students[4].reload()
    say(students[4], "machine", last=True)
    count(truth_of(host), said)
    for page in students:
        expect_phase(page, "reveal", timeout=30_000)

    # One phone is left on the bus; its seat goes on, on another one. The teacher goes on from the phone too, and leaves this card out.
    students[2].close()
    students[2] = open_page(f"/join/{code}/", **PHONE)
    students[2].get_by_text("I was here already").click()
    students[2].get_by_label("Your seat code").fill(seats[2])
    students[2].get_by_role("button", name="Take my seat").click()
    expect_phase(students[2], "reveal")
    assert name_of(students[2]) == names[2]
    expect_phase(presenter, "reveal", timeout=30_000)
    for phase in ("standings", "card"):
        presenter.locator("#next").click()
        expect_phase(presenter, phase)
    presenter.locator("#pause").click()
    say(students[2], "human")
    presenter.locator("#resume").click()
    expect(presenter.locator("#pause")).to_be_visible()
    presenter.locator("#skip").click()
    expect(presenter.locator("#stage")).to_contain_text("Card 4 of 4")

    # Somebody comes late and is sent out again: what they said counts no more.
    late = open_page("/", **PHONE)
    sit_down(late, code)
    say(late, "human")
    presenter.locator("#seats summary").filter(has_text=name_of(late)).click()
    presenter.locator("#seats details[open] button").click()
    expect(late.get_by_role("heading", level=1)).to_contain_text("Your seat is gone.")
    said = {0: "human", 1: "human", 2: "machine", 4: "machine"}
    for number, verdict in said.items():
        say(students[number], verdict)
    press(host, "n", "reveal")
    count(truth_of(host), said)
    expect(students[3].locator("#mine")).to_contain_text("No answer from you.")
    press(host, "n", "podium")

    # 20 answers less what was skipped, not given and taken back; the podium, each phone and the results say the same.
    assert len(answers(game, code)) == 5 + 5 + 1 + 5
    for number, page in enumerate(students):
        name = names[number]
        expect(page.locator("#mine")).to_contain_text(f"{RIGHT * right[name]} points, {right[name]} of {given[name]} right.")
    host.locator("#controls").get_by_role("link", name="See the results").click()
    rows = host.locator("table.students tbody tr")
    table = {row.locator("th").inner_text(): (row.locator("[data-name=right]").inner_text()) for row in rows.all()}
    assert table == {name: f"{right[name]} of {given[name]}" for name in names}
    assert sum(given.values()) == 14
