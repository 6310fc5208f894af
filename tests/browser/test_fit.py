"""What fits on which screen, stays in its place, and covers nothing."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.actions import DESK, DEVICES, LAPTOP, LAPTOP_AT_200, PHONE, SHORT, SIDEWAYS, SMALL, Open, go_on, guess
from tests.stack import Stack

# The lines of an element's text, and how many of them are on the screen with nothing over them.
COUNT_LINES = """(part) => {
  const range = document.createRange();
  range.selectNodeContents(document.querySelector(part));
  const tops = new Map([...range.getClientRects()].filter((line) => line.width > 1).map((line) => [Math.round(line.bottom), line]));
  const isSeen = ({ left, right, top, bottom }) => top >= 0 && bottom <= innerHeight
    && document.elementFromPoint((left + right) / 2, (top + bottom) / 2)?.closest(part) !== null;
  return [tops.size, [...tops.values()].filter(isSeen).length];
}"""
DOUBLE_TEXT = "const sheet = new CSSStyleSheet(); sheet.replaceSync('html { font-size: 200% }'); document.adoptedStyleSheets = [sheet];"


def overlap(one: Any, other: Any) -> bool:
    """Say whether two boxes share a point."""
    return all(one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in (("x", "width"), ("y", "height")))


@pytest.mark.parametrize("device", [PHONE, SMALL, SIDEWAYS, DESK], ids=["phone", "small", "sideways", "desk"])
def test_nothing_moves_when_the_card_is_turned_or_the_next_is_dealt(open_page: Open, device: dict[str, Any]) -> None:
    page = open_page("/play/harbour/", reduced_motion="reduce", **device)
    places = (
        "(part) => { const { x, y, width, height } = document.querySelector(part).getBoundingClientRect(); return [x, y, width, height]; }"
    )
    corners = set()
    for _ in range(9):
        before = {part: page.evaluate(places, part) for part in ("#card", "#tweet", ".dock", ".score")}
        corners.add(tuple(before["#card"][:3]))
        guess(page)
        assert {part: page.evaluate(places, part) for part in before} == before
        go_on(page)
    assert len(corners) == 1
    assert page.evaluate("shifts") == []


@pytest.mark.parametrize("deck", ["harbour", "pier"])
@pytest.mark.parametrize(
    "device", [PHONE, SHORT, SIDEWAYS, LAPTOP, LAPTOP_AT_200], ids=["phone", "short", "sideways", "laptop", "laptop at 200 %"]
)
def test_the_whole_tweet_and_who_wrote_it_are_in_sight_without_scrolling(open_page: Open, device: dict[str, Any], deck: str) -> None:
    page = open_page(f"/play/{deck}/", reduced_motion="reduce", **device)
    hidden = []
    for card in range(1, 10):
        lines, seen = page.evaluate(COUNT_LINES, "#tweet")
        guess(page)
        who = page.evaluate(COUNT_LINES, ".notes__who")
        if lines != seen or who != [1, 1]:
            hidden.append((card, lines, seen, who))
        go_on(page)
    assert hidden == []


@pytest.mark.parametrize(("width", "height"), [(640, 800), (640, 720), (1280, 720)])
def test_of_text_twice_as_large_the_buttons_leave_enough_to_read(open_page: Open, width: int, height: int) -> None:
    page = open_page("/play/pier/", viewport={"width": width, "height": height})
    page.evaluate(DOUBLE_TEXT)
    for _ in range(3):
        assert page.evaluate(COUNT_LINES, "#tweet")[1] >= 4
        page.keyboard.press("h")
        expect(page.locator(".stamp")).to_be_visible()
        page.keyboard.press("n")
        expect(page.locator(".stamp")).to_have_count(0)


def test_text_twice_as_large_still_fits_a_phone(open_page: Open) -> None:
    page = open_page("/", **PHONE)
    widths = {}

    def measure(name: str) -> None:
        widths[name] = page.evaluate("document.documentElement.scrollWidth")

    for path in ("/", "/leaderboard/", "/account/sign-up/", "/play/harbour/"):
        page.goto(path)
        page.evaluate(DOUBLE_TEXT)
        measure(path)
    for card in range(1, 10):
        guess(page)
        measure(f"reveal {card}")
        go_on(page)
        measure(f"card {card + 1}")
    assert widths == dict.fromkeys(widths, 360)


@pytest.mark.parametrize("device", [PHONE, SMALL, SIDEWAYS, DESK], ids=["phone", "small", "sideways", "desk"])
def test_a_lost_connection_is_told_and_the_guess_can_be_made_again(open_page: Open, device: dict[str, Any]) -> None:
    page = open_page("/play/harbour/", **device)
    page.context.set_offline(True)
    page.keyboard.press("h")
    expect(page.get_by_role("alert")).to_have_text("No connection. Your place is kept: try again in a moment.")
    told = page.get_by_role("alert").bounding_box()
    for needed in ("nav", ".score", "#tweet", ".answers"):
        assert not overlap(told, page.locator(needed).bounding_box()), needed
    page.context.set_offline(False)
    guess(page)
    expect(page.get_by_role("alert")).to_be_empty()


@DEVICES
def test_a_long_name_takes_two_lines_of_the_board_and_is_told_whole(open_page: Open, game: Stack, device: dict[str, Any]) -> None:
    guess(open_page("/play/harbour/"))
    name = f"{device['viewport']['width']:W>40}"
    with game.connect() as connection:
        latest = "SELECT c.player_id FROM play_card c JOIN play_guess g ON g.card_id = c.id ORDER BY g.at DESC LIMIT 1"
        connection.execute(f"UPDATE accounts_player SET name = %s WHERE id = ({latest})", (name,))
    board = open_page("/leaderboard/harbour/", **device)
    row = board.get_by_role("row").filter(has_text=name)
    assert row.evaluate("(row) => row.offsetHeight") <= 64
    assert row.get_by_title(name).inner_text() == name
    # In one step: the board may be swapped for a newer one at any time.
    ends = """() => ["td.ranks__rank", "th.ranks__rank"].map((cell) => {
        const range = document.createRange();
        range.selectNodeContents(document.querySelector(cell));
        return range.getBoundingClientRect().right;
    })"""
    rank, title = board.evaluate(ends)
    assert rank > 0
    assert abs(rank - title) < 1
