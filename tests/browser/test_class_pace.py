"""Homework and challenges in a real browser: at one's own pace, on any device, with scripts or without."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.actions import DESK, DEVICES, PHONE, SHORT, SIDEWAYS, Open, go_on, guess, play_round
from tests.browser.look import examine
from tests.browser.moderators import PASSWORD, sign_in
from tests.browser.test_fit import COUNT_LINES
from tests.stack import Stack

SEED = f"""
from django.contrib.auth.models import Group, User
user, new = User.objects.get_or_create(username="thea")
if new:
    user.set_password({PASSWORD!r})
    user.save()
    user.groups.add(Group.objects.get(name="teacher"))
"""
SetHomework = Callable[..., Page]
# The teacher's page asks every five seconds.
POLLS = 20_000


@pytest.fixture
def set_homework(open_page: Open, game: Stack) -> SetHomework:
    """Return a function that has a teacher set a homework of three cards, and returns the page on which she watches it."""
    game.manage("shell", "--no-imports", "-c", SEED)

    def set_one(title: str = "8b, at home", deck: str = "Harbour", **options: Any) -> Page:
        page = open_page("/account/sign-in/?next=/class/new/", **options)
        sign_in(page, "thea")
        page.wait_for_url("**/class/new/")
        page.get_by_role("radio", name="Homework").check()
        for name in ("Harbour", "Pier"):
            page.get_by_role("checkbox", name=name, exact=True).set_checked(name == deck)
        page.get_by_label("Cards", exact=True).fill("3")
        page.locator("summary", has_text="More").click()
        page.get_by_label("Title").fill(title)
        page.get_by_role("button", name="Open the class").click()
        page.wait_for_url("**/host/")
        return page

    return set_one


def code_of(page: Page) -> str:
    """Return the code of the class whose page this is."""
    return page.url.split("/class/")[1][:6]


def join(page: Page, code: str) -> str:
    """Take a seat, and return its code."""
    page.goto(f"/join/{code}/")
    page.get_by_role("button", name="Join", exact=True).click()
    page.wait_for_url(f"**/class/{code}/")
    return page.locator(".pace-seat__code").inner_text()


def answer_all(page: Page, cards: int, verdict: str = "Human") -> None:
    """Answer what is left, and go to the result."""
    for _ in range(cards - 1):
        guess(page, verdict)
        go_on(page)
    guess(page, verdict)
    page.get_by_role("link", name="See your result").click()
    expect(page.locator(".marks")).to_be_visible()


def test_homework_is_begun_on_one_device_and_finished_on_another_while_the_teacher_watches(
    open_page: Open, set_homework: SetHomework
) -> None:
    teacher = set_homework()
    code = code_of(teacher)
    laptop = open_page("/join/", **DESK)
    seat = join(laptop, code)
    laptop.wait_for_load_state()
    expect(laptop.locator("#card-name")).to_have_text("Card 1 of 3")
    laptop.keyboard.press("h")
    expect(laptop.locator("#next")).to_be_focused()
    laptop.keyboard.press("n")
    expect(laptop.locator("#card-name")).to_have_text("Card 2 of 3")
    text = laptop.locator("#tweet").inner_text()
    expect(teacher.locator(".far__count")).to_have_text("1 of 3", timeout=POLLS)
    laptop.close()
    phone = open_page(f"/join/{code}/", **PHONE)
    phone.locator("summary", has_text="I was here already").click()
    phone.get_by_label("Your seat code").fill(seat)
    phone.get_by_role("button", name="Take my seat").click()
    expect(phone.locator("#card-name")).to_have_text("Card 2 of 3")
    assert phone.locator("#tweet").inner_text() == text
    answer_all(phone, 2, "Bot")
    expect(phone.locator(".mark")).to_have_count(3)
    expect(phone.locator(".ranks tbody tr")).to_have_count(1)
    expect(teacher.locator(".far__count")).to_have_text("Finished", timeout=POLLS)
    assert phone.evaluate("shifts") == []


def test_homework_that_its_teacher_closes_tells_everybody_their_own_result(open_page: Open, set_homework: SetHomework) -> None:
    teacher = set_homework()
    student = open_page("/join/", **PHONE)
    join(student, code_of(teacher))
    guess(student)
    go_on(student)
    student.wait_for_load_state()
    until = teacher.locator(".watch__door time").first.inner_text()
    teacher.get_by_role("button", name="A week longer").click()
    expect(teacher.locator(".watch__door time").first).not_to_have_text(until)
    teacher.locator("summary", has_text="Close it now").click()
    teacher.get_by_role("button", name="Close it").click()
    expect(teacher.get_by_role("heading", name="It is over")).to_be_visible()
    student.get_by_role("button", name="Bot", exact=True).click()
    expect(student.get_by_text("Your last answer came after the end, and does not count.")).to_be_visible()
    expect(student.locator(".mark")).to_have_count(1)


@pytest.mark.parametrize("device", [SHORT, SIDEWAYS], ids=["short", "sideways"])
def test_the_longest_tweet_and_who_wrote_it_are_in_sight_beside_name_and_date(
    open_page: Open, set_homework: SetHomework, device: dict[str, Any]
) -> None:
    code = code_of(set_homework(deck="Pier"))
    page = open_page("/join/", reduced_motion="reduce", **device)
    join(page, code)
    lines, seen = page.evaluate(COUNT_LINES, "#tweet")
    guess(page)
    assert (seen, page.evaluate(COUNT_LINES, ".notes__who")) == (lines, [1, 1])


def test_a_challenge_is_made_of_a_round_and_played_without_scripts(open_page: Open) -> None:
    maker = open_page("/play/harbour/", **DESK)
    play_round(maker)
    maker.get_by_role("button", name="Challenge somebody with these cards").click()
    maker.wait_for_url("**/class/*/")
    link = maker.get_by_label("Link to the challenge").input_value()
    assert link == maker.url
    friend = open_page(link, java_script_enabled=False, **PHONE)
    expect(friend.get_by_role("heading", level=1)).to_contain_text("of 10 apart. Can you?")
    friend.get_by_role("button", name="Play", exact=True).click()
    for position in range(1, 11):
        expect(friend.locator("#card-name")).to_have_text(f"Card {position} of 10")
        friend.get_by_role("button", name="Bot", exact=True).click()
        expect(friend.locator(".stamp")).to_be_visible()
        friend.locator("#next").click()
    expect(friend.locator(".ranks tbody tr")).to_have_count(2)
    expect(friend.locator(".fooled__by", has_text="said Human.")).to_have_count(10)
    maker.reload()
    expect(maker.locator(".ranks tbody tr")).to_have_count(2)


@DEVICES
def test_no_page_has_an_accessibility_fault_or_scrolls_sideways(open_page: Open, set_homework: SetHomework, device: dict[str, Any]) -> None:
    teacher = set_homework("A class with a title as long as such a title can ever be: 8b", **device)
    faults = examine(teacher, teacher.url)
    student = open_page("/join/", **device)
    join(student, code_of(teacher))
    faults += examine(student, student.url)
    guess(student)
    faults += examine(student, student.url)
    go_on(student)
    answer_all(student, 2)
    faults += examine(student, student.url)
    expect(teacher.locator(".far__count")).to_have_text("Finished", timeout=POLLS)
    teacher.locator(".far summary").click()
    faults += examine(teacher, teacher.url)
    maker = open_page("/play/harbour/", **device)
    play_round(maker, "Bot")
    faults += examine(maker, maker.url)
    maker.get_by_role("button", name="Challenge somebody with these cards").click()
    maker.wait_for_url("**/class/*/")
    faults += examine(maker, maker.url)
    visitor = open_page(maker.url, **device)
    faults += examine(visitor, "for a visitor")
    assert faults == []
