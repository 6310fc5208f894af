"""What a player sees, hears and reaches, in a real browser against the running game."""

from typing import Any

from playwright.sync_api import Browser, expect

from tests.browser.actions import DEVICES, PHONE, Open, go_on, guess, play_round
from tests.browser.look import Fault, examine, measure
from tests.stack import Stack


@DEVICES
def test_no_page_has_an_accessibility_fault_or_scrolls_sideways(open_page: Open, device: dict[str, Any]) -> None:
    faults: list[Fault] = []

    page = open_page("/", **device)
    faults += examine(page, "home")
    page.goto("/play/harbour/")
    faults += examine(page, "card")
    guess(page, "Bot")
    faults += examine(page, "reveal")
    for card in range(2, 11):
        go_on(page)
        faults += measure(page, f"card {card}")
        guess(page, "Bot")
        faults += measure(page, f"reveal {card}")
    page.get_by_role("link", name="See your result").click()
    page.wait_for_url("**/round/*/")
    faults += examine(page, "result")
    visitor = open_page(page.url, **device)
    faults += examine(visitor, "result, for a visitor")
    for path in ("/leaderboard/", "/leaderboard/harbour/", "/leaderboard/desert/", "/account/sign-in/", "/play/desert/", "/nowhere/"):
        page.goto(path)
        faults += examine(page, path)
    page.goto("/account/sign-up/")
    page.get_by_role("button", name="Sign up").click()
    page.get_by_label("Username").fill("!")
    page.get_by_label("Password", exact=True).fill("1")
    page.get_by_label("Password confirmation").fill("2")
    page.get_by_role("button", name="Sign up").click()
    faults += examine(page, "sign up, refused")
    page.get_by_label("Username").fill(f"ada-{device['viewport']['width']}")
    for label in ("Password", "Password confirmation"):
        page.get_by_label(label, exact=True).fill("seven-herons-and-a-boat")
    page.get_by_role("button", name="Sign up").click()
    page.wait_for_url("**/account/")
    faults += examine(page, "account")
    page.goto("/account/password/")
    faults += examine(page, "password")
    assert faults == []


def test_a_round_can_be_played_by_keys_alone(open_page: Open) -> None:
    page = open_page("/play/harbour/")
    for position in range(1, 11):
        expect(page.locator("#card-name")).to_have_text(f"Card {position} of 10")
        expect(page.locator(".score__done")).to_have_attribute("d", f"M0 .5H{position}")
        page.keyboard.press("b" if position % 2 else "h")
        expect(page.locator("#next")).to_be_focused()
        page.keyboard.press("n" if position % 3 else "Enter")
    page.wait_for_url("**/round/*/")
    assert page.locator(".mark").count() == 10


def test_keys_can_be_turned_off_and_stay_off(open_page: Open) -> None:
    page = open_page("/play/harbour/")
    page.get_by_label("Play with the keys").uncheck()
    page.reload()
    expect(page.get_by_label("Play with the keys")).not_to_be_checked()
    page.locator("body").press("h")
    page.get_by_label("Play with the keys").check()
    expect(page.locator(".stamp")).to_have_count(0)
    page.locator("body").press("h")
    expect(page.locator(".verdict")).to_contain_text("You said Human.")


def test_focus_and_the_live_region_follow_the_game(open_page: Open) -> None:
    page = open_page("/play/harbour/")
    expect(page.locator("#said")).to_be_empty()
    guess(page, "Bot")
    expect(page.locator("#next")).to_be_focused()
    words = page.locator("#said").inner_text()
    told = "Right." if "It was a bot." in words else "Wrong."
    kind = "bot" if told == "Right." else "person"
    assert words == f"{told} You said Bot. It was a {kind}. {1 if told == 'Right.' else 0} right of 1"
    go_on(page)
    expect(page.locator("#card")).to_be_focused()
    expect(page.locator("#said")).to_be_empty()


def test_the_card_turns_once_and_only_fades_where_motion_is_unwanted(open_page: Open) -> None:
    animations = "document.getAnimations().map((animation) => [animation.animationName, animation.effect.getTiming().duration])"
    seen = []
    for motion in ("no-preference", "reduce"):
        page = open_page("/play/harbour/", reduced_motion=motion)
        page.evaluate(f"addEventListener('htmx:afterSettle', () => {{ window.seen = {animations}; }}, {{ once: true }})")
        guess(page)
        seen.append({tuple(animation) for animation in page.evaluate("seen") if animation[1] == 300})
    assert seen == [{("turn", 300), ("turned", 300)}, {("appear", 300)}]


def test_a_reload_keeps_the_reveal_and_back_leaves_the_table(open_page: Open) -> None:
    page = open_page("/")
    page.get_by_role("link", name="Play Harbour").click()
    for _ in range(2):
        guess(page)
        go_on(page)
    guess(page)
    revealed = page.locator(".verdict").inner_text()
    page.reload()
    expect(page.locator(".verdict")).to_have_text(revealed, use_inner_text=True)
    page.go_back()
    page.wait_for_url("/")


def test_a_second_tab_is_told_that_the_first_answer_counted(open_page: Open) -> None:
    page = open_page("/play/harbour/")
    tab = page.context.new_page()
    tab.goto("/play/harbour/")
    guess(page, "Human")
    expect(page.locator(".verdict")).not_to_contain_text("Your first answer counted.")
    guess(tab, "Bot")
    expect(tab.locator(".verdict")).to_contain_text("You said Human.")
    expect(tab.locator(".verdict")).to_contain_text("Your first answer counted.")


def test_a_tweet_that_was_withdrawn_is_not_shown_again(open_page: Open, game: Stack) -> None:
    page = open_page("/play/harbour/")
    guess(page)
    with game.connect() as connection:
        latest = "SELECT c.tweet_id FROM play_card c JOIN play_guess g ON g.card_id = c.id ORDER BY g.at DESC LIMIT 1"
        connection.execute(f"UPDATE pool_tweet SET status = 'withdrawn' WHERE id = ({latest})")
    page.reload()
    expect(page.locator("#tweet")).to_have_text("This tweet has been withdrawn.")


def test_everything_works_with_scripts_off(open_page: Open) -> None:
    page = open_page("/", java_script_enabled=False, **PHONE)
    page.get_by_role("link", name="Play Harbour").click()
    play_round(page)
    verdicts = page.locator(".mark").all_inner_texts()
    assert len(verdicts) == 10
    assert page.get_by_label("Link to your result").input_value() == page.url
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    expect(page.get_by_role("button", name="Switch between light and dark")).to_have_count(0)


def test_the_theme_is_switched_and_remembered_before_the_first_paint(open_page: Open) -> None:
    page = open_page("/", color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    by_day = page.evaluate(ground)
    page.get_by_role("button", name="Switch between light and dark").click()
    by_night = page.evaluate(ground)
    assert by_night != by_day
    page.add_init_script("addEventListener('DOMContentLoaded', () => { window.early = document.documentElement.dataset.theme; })")
    page.reload()
    assert (page.evaluate("early"), page.evaluate(ground)) == ("dark", by_night)


def test_the_result_is_copied_as_words_that_spoil_nothing(open_page: Open) -> None:
    page = open_page("/play/harbour/", permissions=["clipboard-read", "clipboard-write"])
    play_round(page)
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    first, birds, link = page.evaluate("navigator.clipboard.readText()").splitlines()
    score = page.locator(".result__score strong").inner_text()
    assert first == f"Bird or Bot, Harbour: {score} of 10"
    assert (len(birds), birds.count("⬜")) == (10, 10 - int(score))
    assert link == page.url


def test_a_player_finds_the_own_row_marked_also_when_the_board_moves(open_page: Open) -> None:
    ada = open_page("/play/harbour/")
    guess(ada)
    board = open_page("/leaderboard/harbour/", storage_state=ada.context.storage_state())
    own = board.locator("tr[aria-current]")
    expect(own.locator("td").last).to_have_text("1")
    go_on(ada)
    guess(ada)
    expect(own.locator("td").last).to_have_text("2")
    expect(own).to_have_count(1)


@DEVICES
def test_the_account_says_who_is_signed_in_and_has_one_way_out(open_page: Open, device: dict[str, Any]) -> None:
    page = open_page("/account/sign-up/", **device)
    name = f"bea-{device['viewport']['width']}"
    page.get_by_label("Username").fill(name)
    for label in ("Password", "Password confirmation"):
        page.get_by_label(label, exact=True).fill("seven-herons-and-a-boat")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_text("Signed in as")).to_contain_text(f"Signed in as {name}.")
    expect(page.get_by_role("link", name="Change password")).to_have_attribute("href", "/account/password/")
    expect(page.get_by_role("button", name="Sign out")).to_have_count(1)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_the_first_page_weighs_less_than_100_kb(browser: Browser, game: Stack) -> None:
    context = browser.new_context(base_url=game.base_url)
    page = context.new_page()
    network = context.new_cdp_session(page)
    sizes: list[float] = []
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    network.send("Network.enable")
    for path in ("/", "/play/harbour/"):
        sizes.clear()
        network.send("Network.setCacheDisabled", {"cacheDisabled": True})
        page.goto(path, wait_until="networkidle")
        assert len(sizes) >= 5
        assert sum(sizes) < 100_000
    context.close()
