"""Moderators clear the queue: by keys, by swipe, in spite of lost connections and of each other."""

from playwright.sync_api import Page, expect

from tests.browser.actions import PHONE, Open
from tests.browser.moderators import decide, expect_decided, reasons, shown, sign_in, statuses
from tests.stack import Stack, wait_for


def test_a_key_decides_and_goes_on(enter: Open, game: Stack) -> None:
    page = enter("keys")
    decided = int(page.locator("#decided").text_content() or "")
    approved = [decide(page, "a") for _ in range(12)]
    rejected = decide(page, "r", "3")
    skipped = decide(page, "j")
    flagged = decide(page, "f")
    page.keyboard.press("k")
    assert shown(page) == skipped
    expect_decided(game, "keys", dict.fromkeys(approved, "approved") | {rejected: "rejected"})
    logged = {rejected: "unsafe or cruel", flagged: "second opinion wanted"}
    wait_for(lambda: reasons(game, [rejected, flagged]) == logged, seconds=10, what=str(logged))
    expect(page.locator("#decided")).to_have_text(str(decided + 14))
    page.keyboard.press("r")
    expect(page.get_by_text("Why reject it?")).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.press("Escape")
    expect(page.get_by_text("Why reject it?")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    assert shown(page) == skipped
    page.keyboard.press("o")
    expect(page.locator(".item:visible .item__origin")).to_contain_text("Human: Ada Quay @ada_quay, twitter · 12 likes")
    page.keyboard.press("/")
    page.wait_for_url("**/moderate/search/?category=keys")
    expect(page.get_by_label("Words")).to_be_focused()


def test_what_is_decided_without_a_connection_is_sent_later_and_in_order(enter: Open, game: Stack) -> None:
    page = enter("offline")
    page.context.set_offline(True)
    kept = [decide(page, "a"), decide(page, "r", "1")]
    taken_back = decide(page, "a")
    alert = page.locator("[data-outbox]")
    expect(alert).to_have_text("No connection. 3 decisions wait to be sent. ")
    page.keyboard.press("u")
    assert shown(page) == taken_back
    expect(alert).to_have_text("No connection. 2 decisions wait to be sent. ")
    assert statuses(game, "offline") == {}
    page.context.set_offline(False)
    expect(alert).to_be_empty()
    expect_decided(game, "offline", {kept[0]: "approved", kept[1]: "rejected"})


def test_a_session_that_expires_loses_nothing(enter: Open, game: Stack) -> None:
    page = enter("expiry")
    before = decide(page, "a")
    expect_decided(game, "expiry", {before: "approved"})
    with game.connect() as connection:
        connection.execute("DELETE FROM django_session")
    kept = [decide(page, "a"), decide(page, "r", "9"), decide(page, "a")]
    expect(page.locator("[data-outbox]")).to_contain_text("You are signed out. 3 decisions wait to be sent.")
    # Somebody else sits down meanwhile: they are not sent in that name.
    tab = page.context.new_page()
    tab.goto("/account/sign-in/?next=/moderate/")
    sign_in(tab, "cato")
    tab.wait_for_url("**/moderate/")
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.locator("[data-outbox]")).to_contain_text("Somebody else is signed in. 3 decisions wait to be sent.")
    assert statuses(game, "expiry") == {before: "approved"}
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url("**/")
    page.evaluate("dispatchEvent(new Event('focus'))")
    page.locator("[data-outbox]").get_by_role("link", name="Sign in").click()
    sign_in(page)
    page.wait_for_url("**/moderate/expiry/")
    expect_decided(game, "expiry", {before: "approved", kept[0]: "approved", kept[1]: "rejected", kept[2]: "approved"})
    assert shown(page) not in kept
    expect(page.locator("[data-outbox]")).to_be_empty()


def test_stop_works_after_signing_in_again_in_another_tab(enter: Open, game: Stack) -> None:
    page = enter("stop")
    tab = page.context.new_page()
    tab.goto("/moderate/")
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url("**/")
    tab.goto("/account/sign-in/?next=/moderate/")
    sign_in(tab)
    tab.wait_for_url("**/moderate/")
    page.get_by_role("button", name="Stop").click()
    page.wait_for_url("**/moderate/")
    expect(page.get_by_text("are free for others again.")).to_be_visible()


def test_undo_brings_the_tweet_back_before_you(enter: Open, game: Stack) -> None:
    page = enter("undo")
    one, other, third = decide(page, "a"), decide(page, "r", "2"), decide(page, "a")
    expect_decided(game, "undo", {one: "approved", other: "rejected", third: "approved"})
    page.keyboard.press("u")
    assert shown(page) == third
    page.keyboard.press("u")
    assert shown(page) == other
    expect_decided(game, "undo", {one: "approved"})
    decide(page, "a")
    expect_decided(game, "undo", {one: "approved", other: "approved"})


def test_undo_reaches_what_was_decided_before_the_page_was_opened_and_is_refused_with_the_reason(enter: Open, game: Stack) -> None:
    page = enter("reload")
    one, other = decide(page, "a"), decide(page, "a")
    expect_decided(game, "reload", {one: "approved", other: "approved"})
    with game.connect() as connection:
        # As another moderator's search would.
        connection.execute(
            "WITH gone AS (UPDATE pool_tweet SET status = 'rejected' WHERE text = %s RETURNING id) INSERT INTO pool_moderationevent"
            " (tweet_id, by_id, before, after, reason) SELECT gone.id, u.id, 'approved', 'rejected', '' FROM gone, auth_user u"
            " WHERE u.username = 'cato'",
            [other],
        )
    page.reload()
    page.keyboard.press("u")
    expect(page.locator("#refused")).to_contain_text("Not undone: cato rejected it since.")
    page.keyboard.press("u")
    expect(page.locator(".item:visible .tweet")).to_have_text(one)
    expect_decided(game, "reload", {other: "rejected"})


def test_two_at_once_never_decide_on_the_same_tweet(enter: Open, game: Stack) -> None:
    mona, cato = enter("two"), enter("two", "cato")
    mine, decided = shown(mona), mona.locator("#decided").text_content() or ""
    assert shown(cato) != mine
    with game.connect() as connection:
        connection.execute("DELETE FROM moderation_lease l USING pool_tweet t WHERE t.id = l.tweet_id AND t.text = %s", [mine])
    cato.goto("/moderate/two/?words=%22" + mine.partition(":")[0] + "%22")
    assert decide_last(cato) == mine
    expect_decided(game, "two", {mine: "rejected"})
    after = decide(mona, "a")
    expect(mona.locator("#refused p")).to_have_text(f"Not approved. cato rejected it already. “{mine}”")
    expect(mona.locator("#decided")).to_have_text(decided)
    decide(mona, "a")
    assert after == mine
    assert statuses(game, "two")[mine] == "rejected"


def decide_last(page: Page) -> str:
    """Reject the only card of a queue; then it is empty, and says so."""
    text = shown(page)
    page.keyboard.press("r")
    page.keyboard.press("9")
    expect(page.locator("#end")).to_be_visible()
    return text


def swipe(page: Page, by: int) -> None:
    box = page.locator(".item:visible .card").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for part in (0.3, 0.6, 1):
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x + by * part, "y": y + 4}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_phone_decides_by_swipe(enter: Open, game: Stack) -> None:
    page = enter("swipe", **PHONE)
    one = shown(page)
    swipe(page, 40)
    assert shown(page) == one
    swipe(page, 130)
    expect(page.locator("#last")).to_have_text(f"Approved: “{one}”")
    other = shown(page)
    swipe(page, -130)
    page.get_by_role("button", name="Personal data").click()
    expect(page.locator("#last")).to_have_text(f"Rejected: “{other}”")
    expect_decided(game, "swipe", {one: "approved", other: "rejected"})
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".item:visible .tweet")).to_have_text(other)
