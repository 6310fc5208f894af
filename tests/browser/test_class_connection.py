"""A student's phone whose connection comes and goes: no answer is lost, none is given twice, and the page is where the class is."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.actions import PHONE, Open
from tests.browser.classes import answers, button, expect_phase, expect_said, hold, move, run, sit_down
from tests.stack import Stack, wait_for


def begin(open_page: Open, game: Stack) -> tuple[Page, str]:
    """Return a student's phone with the first card on it, and the class's code; a second student keeps the card open by never answering."""
    code = hold(game)
    page = open_page("/", **PHONE)
    sit_down(page, code)
    run(game, f"seat(find_session({code!r}), 1, now=now)")
    move(game, code, "start")
    expect_phase(page, "card")
    return page, code


def test_a_reload_and_another_device_show_what_was_said(open_page: Open, game: Stack) -> None:
    page, code = begin(open_page, game)
    seat_code = page.locator(".seat__letters").inner_text()
    button(page, "human").click()
    expect_said(page, "human")
    page.reload()
    expect_said(page, "human")
    other = open_page(f"/join/{code}/")
    other.get_by_text("I was here already").click()
    other.get_by_label("Your seat code").fill(seat_code.lower())
    other.get_by_role("button", name="Take my seat").click()
    other.wait_for_url(f"**/class/{code}/")
    expect_said(other, "human")
    assert other.locator(".seat__who").inner_text() == page.locator(".seat__who").inner_text()
    # What one of them says, the other shows.
    move(game, code, "next", "next", "next")
    expect(page.locator("#card-name")).to_have_text("Card 2 of 4")
    button(other, "machine").click()
    expect_said(page, "machine")


def test_an_answer_given_while_the_server_is_down_is_kept_and_sent_when_it_is_back(open_page: Open, game: Stack) -> None:
    page, code = begin(open_page, game)
    game.kill("web")
    try:
        expect(page.locator("#live")).to_have_text("No connection. Trying again.")
        button(page, "machine").click()
        expect(button(page, "machine")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#live")).to_have_text("No connection. Answer kept.")
        assert answers(game, code) == []
    finally:
        game.start_web()
    expect_said(page, "machine")
    expect(page.locator("#live")).to_be_empty()
    assert answers(game, code) == ["machine"]
    # Live again, not by asking.
    move(game, code, "next")
    expect_phase(page, "reveal")


def test_an_answer_that_was_not_sent_outlives_the_page(open_page: Open, game: Stack) -> None:
    page, code = begin(open_page, game)
    # The tab is closed in the moment of the press.
    card = page.locator("#stage").get_attribute("data-card")
    page.evaluate(f"sessionStorage.setItem('class:{code}', JSON.stringify({{ card: {card!r}, verdict: 'human' }}))")
    page.reload()
    expect_said(page, "human")
    wait_for(lambda: answers(game, code) == ["human"], seconds=10, what="the kept answer is stored")


def test_an_answer_to_a_card_that_is_over_is_not_sent(open_page: Open, game: Stack) -> None:
    page, code = begin(open_page, game)
    game.kill("web")
    try:
        button(page, "human").click()
        move(game, code, "next", "next", "next")
    finally:
        game.start_web()
    expect(page.locator("#card-name")).to_have_text("Card 2 of 4", timeout=30_000)
    expect(button(page, "human")).to_have_attribute("aria-pressed", "false")
    button(page, "machine").click()
    expect_said(page, "machine")
    assert answers(game, code) == ["machine"]


@pytest.mark.parametrize("block", ["cut", "silent"])
def test_where_no_websocket_comes_through_the_page_asks(open_page: Open, game: Stack, block: str) -> None:
    code = hold(game)
    page = open_page("/", **PHONE)
    # What a school's filter does: closes it at once, or lets nothing through.
    page.context.route_web_socket("**/live/**", lambda socket: socket.close() if block == "cut" else None)
    page.goto(f"/join/{code}/")
    page.get_by_role("button", name="Join", exact=True).click()
    page.wait_for_url(f"**/class/{code}/")
    run(game, f"seat(find_session({code!r}), 1, now=now)")
    move(game, code, "start")
    expect_phase(page, "card", timeout=30_000)
    button(page, "human").click()
    expect_said(page, "human")
    assert answers(game, code) == ["human"]
    move(game, code, "next")
    expect(page.locator("#mine")).to_contain_text("You said Human.")
    expect_phase(page, "reveal")
    expect(page.locator("#live")).to_be_empty()
    # And notices when it is let through.
    page.context.unroute_all()


def test_a_phone_that_slept_connects_anew(open_page: Open, game: Stack) -> None:
    code = hold(game)
    page = open_page("/", **PHONE)
    sit_down(page, code)
    with page.expect_websocket() as socket:
        page.evaluate("dispatchEvent(new Event('online'))")
    assert socket.value.url.endswith(f"/live/class/{code}/")
    # Of a connection that only seems to be one nothing tells: looking at the page again does.
    page.evaluate("Object.defineProperty(document, 'visibilityState', { get: () => window.seen, configurable: true })")
    page.evaluate(
        "window.seen = 'hidden'; document.dispatchEvent(new Event('visibilitychange')); Date.now = () => performance.timeOrigin + 1e9"
    )
    with page.expect_websocket():
        page.evaluate("window.seen = 'visible'; document.dispatchEvent(new Event('visibilitychange'))")
    move(game, code, "start")
    expect_phase(page, "card")


def test_a_phone_without_a_network_says_so(open_page: Open, game: Stack) -> None:
    code = hold(game)
    page = open_page("/", **PHONE)
    sit_down(page, code)
    page.context.set_offline(True)
    expect(page.locator("#live")).to_have_text("No connection. Trying again.")
    page.context.set_offline(False)
    expect(page.locator("#live")).to_be_empty()
