"""Classes in the running game: held from its shell, as no page of the teacher's is looked at; and students who sit down in them."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.moderators import PASSWORD
from tests.stack import Stack

# Whose classes `hold` makes.
TEACHER = f"""
from django.contrib.auth.models import Group, User
user, _ = User.objects.get_or_create(username="teacher")
user.set_password({PASSWORD!r})
user.save()
user.groups.add(Group.objects.get(name="teacher"))
"""
SAID = {"human": "Human", "machine": "Bot"}
HELD = """
from datetime import timedelta
from django.utils import timezone
from game.classroom.models import ClassSession, Seat
from game.classroom.selectors import find_session
from game.classroom.services import kick
from game.pool.models import Category
from tests.game.classroom.classes import hold_class, on_table, press, say, seat
now = timezone.now()
"""


def run(game: Stack, code: str) -> str:
    """Run code about classes in the game's shell, and return what it prints."""
    return game.manage("shell", "--no-imports", "-c", HELD + code).strip()


def hold(game: Stack, *, seconds: int | None = None, **chosen: Any) -> str:
    """Open a class of the deck `harbour`, and return its code; cards have no time but where `seconds` says so."""
    time = f"timedelta(seconds={seconds})" if seconds else "None"
    said = "".join(f", {name}={value!r}" for name, value in chosen.items())
    # As many classes as there are tests: the seed must not be the same.
    deck = 'Category.objects.get(slug="harbour")'
    return run(game, f"import secrets\nprint(hold_class([{deck}], now=now, seed=secrets.randbits(32), card_time={time}{said}).code)")


def move(game: Stack, code: str, *actions: str) -> None:
    """Do what the teacher does, one after another."""
    run(game, f"press(find_session({code!r}), *{actions!r}, now=now)")


def truth(game: Stack, code: str) -> str:
    """Return who wrote the card on the table."""
    return run(game, f"print(on_table(find_session({code!r})).kind)")


def answers(game: Stack, code: str) -> list[str]:
    """Return the verdicts that are stored, in the order of the cards."""
    query = """
        SELECT a.verdict FROM classroom_answer a JOIN classroom_classcard c ON c.id = a.card_id
          JOIN classroom_classsession s ON s.id = c.session_id WHERE s.code = %s ORDER BY c.position
    """
    with game.connect() as connection:
        return [verdict for (verdict,) in connection.execute(query, [code]).fetchall()]


def sit_down(page: Page, code: str) -> str:
    """Join a class under the name that is offered; return the seat's code once the page is live."""
    page.goto(f"/join/{code}/")
    page.get_by_role("button", name="Join", exact=True).click()
    page.wait_for_url(f"**/class/{code}/")
    expect(page.locator("#seat")).to_have_attribute("data-live", "")
    return page.locator(".seat__letters").inner_text()


def expect_phase(page: Page, phase: str, **options: Any) -> None:
    expect(page.locator("#stage")).to_have_attribute("data-phase", phase, **options)


def button(page: Page, verdict: str) -> Locator:
    return page.get_by_role("button", name=SAID[verdict], exact=True)


def expect_said(page: Page, verdict: str) -> None:
    """Expect the page to say and to mark what is stored."""
    expect(page.locator("#mine")).to_have_text(f"You said {SAID[verdict]}.", timeout=30_000)
    for each in SAID:
        expect(button(page, each)).to_have_attribute("aria-pressed", str(each == verdict).lower())


def show(page: Page, view: str, code: str) -> None:
    """Open the teacher's `host` or `presenter` of a class, and wait until it is live: until its socket's first frame is in."""
    frames: list[Any] = []
    page.once("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(frame)))
    page.goto(f"/class/{code}/{view}/")
    for _ in range(1_500):
        if frames:
            return
        # Events of the page come in while it is waited upon.
        page.wait_for_timeout(10)
    pytest.fail(f"No frame came to {page.url}.")


def press(page: Page, key: str, phase: str) -> None:
    """Press a key on the teacher's page, once what was pressed before has arrived."""
    expect(page.locator("#act")).not_to_have_class("htmx-request")
    page.keyboard.press(key)
    expect_phase(page, phase)


def say_all(game: Stack, code: str, *verdicts: str) -> None:
    """Have the first students of a class answer."""
    run(game, f"session = find_session({code!r})\nsay(session, *zip(session.seats.order_by('pk'), {verdicts!r}), now=now)")
