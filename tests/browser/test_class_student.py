"""A student's phone in a class: one card and two buttons, whatever becomes of the connection."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.actions import DEVICES, PHONE, SIDEWAYS, SMALL, Open
from tests.browser.classes import SAID, answers, button, expect_phase, expect_said, hold, move, run, sit_down, truth
from tests.browser.look import Fault, examine
from tests.browser.test_fit import DOUBLE_TEXT
from tests.stack import Stack

WAS = {"human": "person", "machine": "bot"}
OTHER = {"human": "machine", "machine": "human"}


@DEVICES
def test_a_student_plays_a_class(open_page: Open, game: Stack, device: dict[str, Any]) -> None:
    code = hold(game, cards=2)
    page = open_page("/join/", **device)
    page.get_by_label("The code on the board").fill(f"{code[:3].lower()} {code[3:].lower()}")
    page.get_by_role("button", name="Join", exact=True).click()
    page.get_by_role("button", name="Join", exact=True).click()
    page.wait_for_url(f"**/class/{code}/")
    expect(page.get_by_role("heading", name="You are in. Look at the board.")).to_be_visible()
    expect(page.locator("#seat")).to_have_attribute("data-live", "")
    # Who never answers keeps the card on the table until the teacher goes on.
    run(game, f"seat(find_session({code!r}), 1, now=now)")
    for position in (1, 2):
        move(game, code, *["start" if position == 1 else "next"])
        expect(page.locator("#card-name")).to_have_text(f"Card {position} of 2")
        expect(page.locator("#said")).to_have_text(f"Card {position} of 2")
        kind = truth(game, code)
        # Right, then wrong: where nobody has a point nobody is ranked.
        verdict = kind if position == 1 else OTHER[kind]
        button(page, verdict).click()
        expect_said(page, verdict)
        expect(page.locator("#said")).to_have_text(f"You said {SAID[verdict]}.")
        assert page.locator(".stamp").count() == 0
        move(game, code, "next")
        expect(page.locator(".stamp")).to_have_text(SAID[kind])
        told = f"{'Right. +100 points' if position == 1 else 'Wrong.'} You said {SAID[verdict]}. It was a {WAS[kind]}."
        expect(page.locator("#mine")).to_have_text(told)
        expect(page.locator("#said")).to_have_text(told)
        expect(button(page, verdict)).to_be_hidden()
        expect(page.locator(".crowd")).to_contain_text(f"1 {SAID[verdict]}")
        if position == 1:
            move(game, code, "next")
            expect(page.locator("#mine")).to_contain_text("100 points, 1 of 1 right.")
    move(game, code, "next")
    expect(page.locator("#mine")).to_contain_text("100 points, 1 of 2 right.")
    expect(page.get_by_role("link", name="Play on your own")).to_be_visible()


@pytest.mark.parametrize("device", [PHONE, SMALL, SIDEWAYS], ids=["phone", "small", "sideways"])
def test_the_buttons_are_large_within_the_thumbs_reach_and_stay_where_they_are(
    open_page: Open, game: Stack, device: dict[str, Any]
) -> None:
    code = hold(game)
    page = open_page("/", reduced_motion="reduce", **device)
    sit_down(page, code)
    run(game, f"seat(find_session({code!r}), 1, now=now)")
    move(game, code, "start")
    expect_phase(page, "card")
    parts = ("#card", "#tweet", ".seat__head", ".button--human", ".button--machine")
    places = [page.locator(part).bounding_box() for part in parts]
    for place in places[3:]:
        assert place
        assert place["height"] >= 56
        assert place["y"] + place["height"] <= device["viewport"]["height"]
    page.evaluate("shifts.length = 0")
    button(page, "human").click()
    expect_said(page, "human")
    assert [page.locator(part).bounding_box() for part in parts] == places
    move(game, code, "next")
    expect_phase(page, "reveal")
    assert [page.locator(part).bounding_box() for part in parts[:3]] == places[:3]
    move(game, code, "next", "next")
    expect_phase(page, "card")
    assert [page.locator(part).bounding_box() for part in parts[2:]] == places[2:]
    assert page.evaluate("shifts") == []


def test_keys_answer_and_the_focus_stays_with_whoever_has_it(open_page: Open, game: Stack) -> None:
    code = hold(game)
    page = open_page("/")
    sit_down(page, code)
    run(game, f"seat(find_session({code!r}), 1, now=now)")
    move(game, code, "start")
    expect_phase(page, "card")
    page.keyboard.press("h")
    expect_said(page, "human")
    # The first one counts.
    page.keyboard.press("b")
    move(game, code, "next", "next", "next")
    expect(page.locator("#card-name")).to_have_text("Card 2 of 4")
    button(page, "machine").focus()
    page.keyboard.press("Enter")
    expect_said(page, "machine")
    move(game, code, "next", "next", "next")
    expect(page.locator("#card-name")).to_have_text("Card 3 of 4")
    expect(button(page, "machine")).to_be_focused()
    assert answers(game, code) == ["human", "machine"]


def test_who_is_sent_out_is_told_at_once(open_page: Open, game: Stack) -> None:
    code = hold(game)
    page = open_page("/", **PHONE)
    sit_down(page, code)
    run(game, f"kick(seat=Seat.objects.get(session__code={code!r}), now=now)")
    expect(page.get_by_role("heading", name="Your seat is gone.")).to_be_visible()


def test_the_ring_counts_down_and_where_motion_is_unwanted_it_is_a_number(open_page: Open, game: Stack) -> None:
    code = hold(game, seconds=90)
    pages = [open_page("/", reduced_motion=motion) for motion in ("no-preference", "reduce")]
    for page in pages:
        sit_down(page, code)
    move(game, code, "start")
    for page, is_drawn in zip(pages, (True, False), strict=True):
        expect(page.get_by_role("timer")).to_have_text(re.compile(r"^1:2\d$"))
        assert page.locator(".clock__ring").is_visible() == is_drawn
        # Nobody is told every second.
        assert page.locator("#clock[aria-live], [aria-live] #clock").count() == 0
    move(game, code, "pause")
    for page in pages:
        expect(page.locator(".notes")).to_have_text("Paused. You may still answer.")
        expect(page.get_by_role("timer")).to_have_attribute("data-running", "false")
        rest = page.get_by_role("timer").inner_text()
        page.wait_for_function("() => new Promise((done) => setTimeout(() => done(true), 1500))")
        assert page.get_by_role("timer").inner_text() == rest


def test_text_twice_as_large_still_fits_a_phone(open_page: Open, game: Stack) -> None:
    code, named = hold(game, seconds=60), hold(game, typed_names=True)
    page, widths = open_page("/join/", **PHONE), {}

    def measure(name: str) -> None:
        page.evaluate(DOUBLE_TEXT)
        widths[name] = page.evaluate("document.documentElement.scrollWidth")

    measure("the code")
    for path in (f"/join/{named}/", f"/join/{code}/"):
        page.goto(path)
        measure(path)
    sit_down(page, code)
    measure("lobby")
    run(game, f"seat(find_session({code!r}), 1, now=now)")
    move(game, code, "start")
    expect_phase(page, "card")
    button(page, "human").click()
    expect_said(page, "human")
    measure("card")
    for action, phase in (("next", "reveal"), ("next", "standings"), ("end", "podium")):
        move(game, code, action)
        expect_phase(page, phase)
        measure(phase)
    assert widths == dict.fromkeys(widths, 360)


def test_without_scripts_the_page_says_what_it_needs(open_page: Open, game: Stack) -> None:
    code = hold(game)
    page = open_page(f"/join/{code}/", java_script_enabled=False)
    page.get_by_role("button", name="Join", exact=True).click()
    expect(page.get_by_text("A class needs JavaScript: it moves on by itself.")).to_be_visible()


@DEVICES
def test_no_page_of_a_student_has_an_accessibility_fault_or_scrolls_sideways(open_page: Open, game: Stack, device: dict[str, Any]) -> None:
    faults: list[Fault] = []

    code, named = hold(game, seconds=60), hold(game, typed_names=True)
    page = open_page("/join/", **device)
    faults += examine(page, "the code")
    page.get_by_label("The code on the board").fill("abc")
    page.get_by_role("button", name="Join", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("That is no code")
    faults += examine(page, "no code")
    for path in ("/join/ZZZZZZ/", f"/join/{named}/", f"/join/{code}/"):
        page.goto(path)
        faults += examine(page, path)
    page.get_by_text("I was here already").click()
    page.get_by_label("Your seat code").fill("bcdfgh")
    page.get_by_role("button", name="Take my seat").click()
    expect(page.get_by_role("alert")).to_contain_text("Nobody here has that seat code.")
    faults += examine(page, "no seat")
    sit_down(page, code)
    faults += examine(page, "lobby")
    run(game, f"seat(find_session({code!r}), 1, now=now)")
    move(game, code, "start")
    expect_phase(page, "card")
    faults += examine(page, "card")
    button(page, "human").click()
    expect_said(page, "human")
    faults += examine(page, "said")
    for action, phase in (("next", "reveal"), ("next", "standings"), ("end", "podium")):
        move(game, code, action)
        expect_phase(page, phase)
        faults += examine(page, phase)
    page = open_page(f"/join/{code}/", **device)
    faults += examine(page, "over")
    assert faults == []
