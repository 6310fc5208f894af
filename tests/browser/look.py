"""What is wrong with a page as it stands, by day and by night: what axe finds, and whether it scrolls sideways."""

from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
# Colours are read from the settled page, not from a card halfway through its turn. What shows that something goes on never ends.
SETTLE = """
    Promise.allSettled(
      document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime < Infinity).map((one) => one.finished),
    ).then(() => {})
"""
Fault = tuple[str, str, str]


def examine(page: Page, name: str) -> list[Fault]:
    """Return what is wrong with a page in either scheme, each fault under the name of what the page shows."""
    faults: list[Fault] = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.evaluate(SETTLE)
        found = Axe().run(page).response["violations"]
        faults += [(f"{name}, {scheme}", fault["id"], fault["nodes"][0]["html"]) for fault in found]
    return faults + measure(page, name)


def measure(page: Page, name: str) -> list[Fault]:
    """Return what is wrong with a page's width: nothing, unless it is wider than its window."""
    width = page.evaluate("document.documentElement.scrollWidth")
    assert page.viewport_size
    return [(name, "width", f"{width} px")] if width > page.viewport_size["width"] else []
