"""The queue's pages for everybody: a voice that reads them, no scripts, a list, every screen, by day and by night."""

from typing import Any

from playwright.sync_api import expect

from tests.browser.actions import DEVICES, PHONE, Open
from tests.browser.look import Fault, examine
from tests.browser.moderators import expect_decided, shown
from tests.stack import Stack


def test_a_screen_reader_is_told_what_became_of_it_and_what_comes(enter: Open) -> None:
    page = enter("voice")
    said = page.locator("#said")
    one = shown(page)
    button = page.get_by_role("button", name="Approve")
    button.focus()
    page.keyboard.press("Enter")
    expect(said).to_have_text(f"Approved: “{one}” {shown(page)}")
    expect(button).to_be_focused()
    page.locator(".item:visible").focus()
    page.keyboard.press("a")
    expect(page.locator(".item:visible")).to_be_focused()
    page.keyboard.press("r")
    expect(page.get_by_role("button", name="Not a tweet of this category")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".item:visible")).to_be_focused()
    page.keyboard.press("k")
    expect(said).to_have_text("That is the first one here.")


def test_keys_can_be_turned_off(enter: Open, game: Stack) -> None:
    page = enter("off")
    one = shown(page)
    page.get_by_label("Decide with keys").uncheck()
    page.keyboard.press("a")
    page.keyboard.press("j")
    assert shown(page) == one
    page.get_by_role("button", name="Approve").click()
    expect_decided(game, "off", {one: "approved"})


def test_everything_works_without_scripts(enter: Open, game: Stack) -> None:
    page = enter("plain", java_script_enabled=False, **PHONE)
    one = shown(page)
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Approved.")).to_be_visible()
    other = shown(page)
    page.get_by_role("button", name="Reject").click()
    page.get_by_role("button", name="Personal data").click()
    expect(page.get_by_text("Rejected: personal data.")).to_be_visible()
    expect_decided(game, "plain", {one: "approved", other: "rejected"})
    page.get_by_role("button", name="Undo").click()
    assert shown(page) == other
    page.get_by_role("link", name="Origin").click()
    expect(page.get_by_text("Human: Ada Quay")).to_be_visible()
    page.get_by_role("link", name="As a list").click()
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Approve the ticked").click()
    expect(page.get_by_text("Approved.")).to_be_visible()
    expect_decided(game, "plain", {one: "approved", other: "approved"})


def test_the_list_is_decided_row_by_row_with_the_same_keys(enter: Open, game: Stack) -> None:
    page = enter("list")
    page.get_by_role("link", name="As a list").click()
    expect(page.locator("#queue")).to_have_attribute("data-ready", "")
    rows = page.locator(".item")
    expect(rows).to_have_count(31)
    texts = rows.locator(".tweet").all_inner_texts()
    page.keyboard.press("a")
    page.keyboard.press("j")
    expect(rows.nth(2)).to_be_focused()
    page.keyboard.press("r")
    page.keyboard.press("8")
    expect(rows.nth(3)).to_be_focused()
    rows.nth(5).get_by_role("button", name="Approve").click()
    expect_decided(game, "list", {texts[0]: "approved", texts[2]: "rejected", texts[5]: "approved"})
    assert [rows.nth(row).locator(".item__outcome").inner_text() for row in (0, 1, 2, 5)] == ["Approved", "", "Rejected", "Approved"]
    page.keyboard.press("u")
    expect(rows.nth(5)).to_be_focused()
    expect_decided(game, "list", {texts[0]: "approved", texts[2]: "rejected"})


@DEVICES
def test_nothing_moves_while_it_is_decided(enter: Open, device: dict[str, Any]) -> None:
    page = enter(f"still-{device['viewport']['width']}", **device)
    place = "(part) => [...document.querySelectorAll(part)].find((one) => one.checkVisibility()).getBoundingClientRect().toJSON()"
    parts = (".card", ".dock", ".score")

    def corners() -> list[tuple[float, float]]:
        boxes = [page.evaluate(place, part) for part in parts]
        return [(box["x"], box["y"]) for box in boxes]

    before = corners()
    for keys in ("a", "r1", "f", "j", "u", "a", "a"):
        for key in keys:
            page.keyboard.press(key)
        assert corners() == before
    assert page.evaluate("shifts") == []


@DEVICES
def test_no_page_has_an_accessibility_fault_or_scrolls_sideways(enter: Open, device: dict[str, Any]) -> None:
    faults: list[Fault] = []
    quay = f"look-{device['viewport']['width']}"
    page = enter(quay, **device)

    faults += examine(page, "queue")
    page.keyboard.press("o")
    expect(page.locator(".item:visible .item__origin")).not_to_be_empty()
    page.keyboard.press("r")
    faults += examine(page, "reasons")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    faults += examine(page, "help")
    here = f"/moderate/{quay}/"
    paths = ("/moderate/", f"{here}?view=list&flag=easy", f"{here}?words=nothing", "/moderate/disagreements/", "/moderate/search/")
    for path in (
        *paths,
        "/moderate/search/?words=heron&origin=human",
        "/moderate/search/?since=x",
        f"/moderate/bulk/?category={quay}&after=rejected",
    ):
        page.goto(path)
        faults += examine(page, path)
    assert faults == []
