"""Somebody guesses in one browser; the board in another moves."""

from playwright.sync_api import Browser, Page, expect

from game.embedded.redis import start_redis, stop_redis
from tests.stack import Stack, wait_for


def watch(browser: Browser, game: Stack, path: str) -> Page:
    page = browser.new_page(base_url=game.base_url)
    page.goto(path)
    expect(page.locator("#live")).to_have_text("Live")
    return page


def guesses(board: Page) -> int:
    return int(board.locator(".total").filter(has_text="Guesses").first.locator("dd").inner_text().replace(",", ""))


def test_a_guess_moves_the_boards_of_everybody_else(browser: Browser, game: Stack) -> None:
    boards = [watch(browser, game, "/leaderboard/"), watch(browser, game, "/leaderboard/harbour/")]
    player = browser.new_page(base_url=game.base_url)
    player.goto("/play/harbour/")
    for _ in range(3):
        before = [guesses(board) for board in boards]
        player.get_by_role("button", name="Human", exact=True).click()
        expect(player.locator(".stamp")).to_be_visible()
        for board, count in zip(boards, before, strict=True):
            expect(board.locator(".total dd").first).to_have_text(f"{count + 1:,}")
        player.get_by_role("link", name="Next", exact=True).click()
        expect(player.locator(".stamp")).to_have_count(0)
    for page in (*boards, player):
        page.close()


def test_a_board_catches_up_by_itself_after_the_web_process_was_killed(browser: Browser, game: Stack) -> None:
    board = watch(browser, game, "/leaderboard/")
    game.kill("web")
    expect(board.locator("#live")).to_have_text("Reconnecting")
    game.start_web()
    expect(board.locator("#live")).to_have_text("Live", timeout=30_000)
    player = browser.new_page(base_url=game.base_url)
    before = guesses(board)
    player.goto("/play/harbour/")
    player.get_by_role("button", name="Bot", exact=True).click()
    wait_for(lambda: guesses(board) == before + 1, seconds=5, what="the board shows the guess")
    board.close()
    player.close()


def test_with_redis_gone_play_goes_on_and_the_board_catches_up_afterwards(browser: Browser, game: Stack) -> None:
    board = watch(browser, game, "/leaderboard/")
    before = guesses(board)
    player = browser.new_page(base_url=game.base_url)
    player.goto("/play/harbour/")
    stop_redis(game.redis)
    try:
        player.get_by_role("button", name="Bot", exact=True).click()
        expect(player.locator(".stamp")).to_be_visible()
    finally:
        game.redis = start_redis(game.var, careless=True)
    wait_for(lambda: guesses(board) == before + 1, seconds=30, what="the board shows the guess made while Redis was away")
    board.close()
    player.close()
