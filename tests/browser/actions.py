"""What people do at the table, and what they hold in their hands."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
SHORT = {"viewport": {"width": 360, "height": 640}, "is_mobile": True, "has_touch": True}
SMALL = {"viewport": {"width": 320, "height": 568}, "is_mobile": True, "has_touch": True}
SIDEWAYS = {"viewport": {"width": 740, "height": 360}, "is_mobile": True, "has_touch": True}
LAPTOP = {"viewport": {"width": 1280, "height": 720}}
LAPTOP_AT_200 = {"viewport": {"width": 640, "height": 360}}
DEVICES = pytest.mark.parametrize("device", [PHONE, DESK], ids=["phone", "desk"])
Open = Callable[..., Page]


def guess(page: Page, verdict: str = "Human") -> None:
    """Guess once the page is complete: an earlier click sends the form, which is one more page in the history."""
    page.wait_for_load_state()
    page.get_by_role("button", name=verdict, exact=True).click()
    expect(page.locator(".stamp")).to_be_visible()


def go_on(page: Page) -> None:
    page.get_by_role("link", name="Next", exact=True).click()
    expect(page.locator(".stamp")).to_have_count(0)


def play_round(page: Page, verdict: str = "Human") -> None:
    """Play the ten cards of a round, and go to the result."""
    for _ in range(9):
        guess(page, verdict)
        go_on(page)
    guess(page, verdict)
    page.get_by_role("link", name="See your result").click()
    page.wait_for_url("**/round/*/")


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control called `name` has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.labels?.[0]?.textContent.trim() || document.activeElement.textContent.trim()") == name:
            return
    pytest.fail(f"Tab never came to {name}.")
