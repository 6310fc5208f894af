"""Reports of players, takedowns, the log and categories, on every screen, by day and by night."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.actions import DEVICES, PHONE, Open, guess
from tests.browser.look import Fault, examine
from tests.stack import Stack


def first_tweet(game: Stack, quay: str) -> int:
    query = "SELECT min(t.id) FROM pool_tweet t JOIN pool_category c ON c.id = t.category_id WHERE c.slug = %s AND t.text <> ''"
    with game.connect() as connection:
        row = connection.execute(query, [quay]).fetchone()
    assert row
    return int(row[0])


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_player_reports_a_tweet_after_the_reveal_and_plays_on(open_page: Open, scripts: bool) -> None:
    page = open_page("/play/harbour/", java_script_enabled=scripts, **PHONE)
    expect(page.get_by_role("link", name="Report")).to_have_count(0)
    page.get_by_role("button", name="Bot").click()
    page.get_by_role("link", name="Report").click()
    page.get_by_label("Something else").check()
    page.get_by_role("button", name="Report it").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    page.get_by_role("link", name="Play on").click()
    expect(page.get_by_text("Card 2 of 10")).to_be_visible()


@DEVICES
def test_no_page_of_records_has_an_accessibility_fault_or_scrolls_sideways(
    enter: Open, open_page: Open, game: Stack, device: dict[str, Any]
) -> None:
    faults: list[Fault] = []
    quay = f"records-{device['viewport']['width']}"
    player = open_page("/play/harbour/", **device)
    guess(player)
    player.get_by_role("link", name="Report").click()
    faults += examine(player, "report")
    page = enter(quay, **device)
    number = first_tweet(game, quay)
    page.goto(f"/moderate/takedown/?what={number}")
    faults += examine(page, "takedown, ahead")
    page.get_by_label("Why?").fill("Somebody asked.")
    page.get_by_role("button", name="Take down for good").click()
    expect(page.get_by_role("heading", name="BB-")).to_be_visible()
    faults += examine(page, "receipt")
    for path in (
        "/moderate/takedown/?what=nothing+known",
        f"/moderate/tweet/{number}/",
        f"/moderate/tweet/{number + 1}/",
        "/moderate/log/",
        "/moderate/log/?what=takedowns",
        "/moderate/categories/",
        "/moderate/categories/new/",
        "/moderate/categories/harbour/",
        "/",
    ):
        page.goto(path)
        faults += examine(page, path)
    assert faults == []


def test_a_tab_with_a_tweet_that_was_taken_down_is_led_on_in_words(enter: Open, open_page: Open, game: Stack) -> None:
    player = open_page("/play/harbour/", **PHONE)
    action = player.locator("form.answers").get_attribute("action")
    assert action
    page = enter("records-stale")
    page.goto(f"/moderate/takedown/?what={page.evaluate('location.origin')}{action}")
    text = player.locator("#tweet").inner_text()
    page.get_by_label("Why?").fill("Somebody asked.")
    page.get_by_role("button", name="Take down for good").click()
    expect(page.get_by_role("heading", name="BB-")).to_be_visible()
    player.get_by_role("button", name="Human").click()
    expect(player.locator("#said")).to_have_text("That tweet has just left the game, and your guess on it does not count. Here is another.")
    expect(player.get_by_text("Card 1 of 10")).to_be_visible()
    assert player.locator("#tweet").inner_text() != text
    guess(player)
    expect(player.locator(".score__figure")).to_contain_text("of 1")
