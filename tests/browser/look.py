"""What is wrong with a page as it stands: what axe finds, and whether it scrolls sideways."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.actions import DESK, PHONE

# Both schemes and both devices, in two passes instead of four.
LOOKS = pytest.mark.parametrize(("scheme", "device"), [("light", DESK), ("dark", PHONE)], ids=["by day at a desk", "by night on a phone"])
# Colours are read from the settled page, not from a card halfway through its turn. What shows that something goes on never ends.
SETTLE = """
    Promise.allSettled(
      document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime < Infinity).map((one) => one.finished),
    ).then(() => {})
"""
Fault = tuple[str, str, str]


def examine(page: Page, name: str) -> list[Fault]:
    """Return what is wrong with a page, each under the name of what it shows."""
    page.evaluate(SETTLE)
    found = Axe().run(page).response["violations"]
    return [(name, fault["id"], fault["nodes"][0]["html"]) for fault in found] + measure(page, name)


def measure(page: Page, name: str) -> list[Fault]:
    """Return what is wrong with a page's width: nothing, unless it is wider than its window."""
    width = page.evaluate("document.documentElement.scrollWidth")
    assert page.viewport_size
    return [(name, "width", f"{width} px")] if width > page.viewport_size["width"] else []
