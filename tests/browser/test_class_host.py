"""A teacher's class on the projector and on the phone: held by keys, going on whatever is away."""

from playwright.sync_api import expect

from tests.browser.actions import LAPTOP, PHONE, Open
from tests.browser.classes import expect_phase, hold, move, press, run, say_all, show
from tests.stack import Stack


def test_a_class_is_held_by_keys_and_the_phone_follows(teach: Open, game: Stack) -> None:
    host = teach("/class/new/", **LAPTOP)
    host.get_by_label("Cards", exact=True).fill("3")
    host.get_by_role("button", name="Open the class").click()
    host.wait_for_url("**/host/")
    code = host.url.split("/")[-3]
    expect(host.locator(".join__code")).to_have_text(code)
    phone = teach("/class/", **PHONE)
    show(phone, "presenter", code)
    run(game, f"seat(find_session({code!r}), 4, now=now)")
    expect(host.locator(".seats__name")).to_have_count(4)
    expect(phone.locator(".student")).to_have_count(4)
    press(host, "l", "lobby")
    expect(host.locator("#count")).to_have_text("4 are here. Locked: nobody else can join")
    press(host, "l", "lobby")
    expect(host.locator("#count")).to_have_text("4 are here")
    press(host, "n", "card")
    expect_phase(phone, "card")
    expect(phone.get_by_role("heading", name="Card 1 of 3")).to_be_visible()
    say_all(game, code, "human", "machine", "machine")
    for page in (host, phone):
        expect(page.locator("#count")).to_have_text("3 of 4 answered")
        assert page.locator(".stamp, .crowd").count() == 0
    press(host, "p", "card")
    expect(host.locator(".big__question")).to_have_text("Paused. You may still answer.")
    expect(host.locator("#clock")).to_have_attribute("data-running", "false")
    given = float(host.locator("#clock").get_attribute("data-given") or 0)
    press(host, "e", "card")
    expect(host.locator("#clock")).to_have_attribute("data-given", f"{given + 15_000:.0f}")
    press(host, "p", "card")
    expect(host.locator("#clock")).to_have_attribute("data-running", "true")
    host.locator("body").press("Space")
    for page in (host, phone):
        expect_phase(page, "reveal")
        expect(page.locator(".stamp")).to_be_visible()
        expect(page.locator(".crowd figcaption")).to_have_text("1 Human 2 Bot")
    press(host, "PageDown", "standings")
    expect(host.locator(".places tbody tr")).to_have_count(4)
    phone.get_by_role("button", name="Next card").click()
    expect_phase(host, "card")
    press(host, "s", "card")
    expect(host.locator(".card__head")).to_contain_text("Card 3 of 3 Card 2 was left out.")
    say_all(game, code, "human", "human", "human", "human")
    expect_phase(host, "reveal")
    expect(host.get_by_role("button", name="To the podium")).to_be_visible()
    press(host, "n", "podium")
    expect(host.locator(".podium__place")).to_have_count(3)
    expect(phone.get_by_role("link", name="See the results")).to_have_attribute("href", f"/class/{code}/results/")


def test_a_short_gap_is_told_of_no_longer_than_it_lasts(teach: Open, game: Stack) -> None:
    code = hold(game)
    page = teach("/class/", **LAPTOP)
    show(page, "host", code)
    live = page.locator("#live")
    path = f"**/class/{code}/host/"
    # The socket does not notice it.
    page.route(path, lambda route: route.abort())
    page.evaluate("htmx.trigger('#ask', 'ask')")
    expect(live).to_have_text("No connection")
    run(game, f"seat(find_session({code!r}), 1, now=now)")
    expect(page.locator(".seats__name")).to_have_count(1)
    expect(live).to_be_empty()
    # Nothing happens in the class: the page finds out by itself.
    page.evaluate("htmx.trigger('#ask', 'ask')")
    expect(live).to_have_text("No connection")
    page.unroute(path)
    expect(live).to_be_empty()


def test_the_lowest_name_opens_above_the_buttons(teach: Open, game: Stack) -> None:
    code = hold(game, seconds=60)
    run(game, f"seat(find_session({code!r}), 12, now=now)")
    move(game, code, "start")
    page = teach("/class/", **PHONE)
    show(page, "presenter", code)
    controls = page.locator("#controls")
    edge = controls.bounding_box()["y"]  # type: ignore[index]
    names = page.locator(".student summary")
    # However long the card on the table is.
    names.nth(5).evaluate("name => name.scrollIntoView({ block: 'center' })")
    # The last one whose name stands above the buttons.
    lowest = max(number for number, name in enumerate(names.all()) if (box := name.bounding_box()) and box["y"] + box["height"] <= edge)
    names.nth(lowest).click()
    remove = page.locator(".student").nth(lowest).get_by_role("button", name="Remove")
    expect(remove).to_be_visible()
    page.wait_for_function(
        "remove => remove.getBoundingClientRect().bottom <= document.getElementById('controls').getBoundingClientRect().top",
        arg=remove.element_handle(),
        timeout=5_000,
    )


def test_keys_can_be_turned_off_and_rest_while_a_sheet_is_open(teach: Open, game: Stack) -> None:
    code = hold(game)
    page = teach("/class/", **LAPTOP)
    show(page, "host", code)
    page.keyboard.press("?")
    help_sheet = page.locator("#help")
    expect(help_sheet).to_be_visible()
    page.keyboard.press("n")
    page.keyboard.press(" ")
    help_sheet.get_by_label("Use these keys").uncheck()
    page.keyboard.press("Escape")
    expect(help_sheet).to_be_hidden()
    for key in ("n", "PageDown"):
        page.locator("body").press(key)
    page.keyboard.press("?")
    page.get_by_role("button", name="Help").click()
    help_sheet.get_by_label("Use these keys").check()
    page.keyboard.press("Escape")
    expect_phase(page, "lobby")
    assert page.locator("#stage").get_attribute("data-version") == "0"
    page.locator("body").press("n")
    expect_phase(page, "card")


def test_the_end_and_a_removal_are_asked_about_once(teach: Open, game: Stack) -> None:
    code = hold(game)
    run(game, f"seat(find_session({code!r}), 2, now=now)")
    page = teach("/class/", **PHONE)
    show(page, "presenter", code)
    name = page.locator(".student summary").first.inner_text()
    page.locator(".student summary").first.click()
    # Somebody comes meanwhile: what is open stays open.
    run(game, f"seat(find_session({code!r}), 1, now=now)")
    expect(page.locator(".student")).to_have_count(3)
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator(".student")).to_have_count(2)
    expect(page.locator("#seats")).not_to_contain_text(name)
    page.get_by_role("button", name="End", exact=True).click()
    page.get_by_role("button", name="Not yet").click()
    expect_phase(page, "lobby")
    page.get_by_role("button", name="End", exact=True).click()
    page.get_by_role("button", name="End it").click()
    expect_phase(page, "podium")
    expect(page.locator("#ending")).to_be_hidden()


def test_without_scripts_a_class_is_made_and_held_all_the_same(teach: Open, game: Stack) -> None:
    page = teach("/class/new/", java_script_enabled=False, **LAPTOP)
    page.get_by_role("button", name="Open the class").click()
    for name, phase in (("Start", "card"), ("Reveal", "reveal"), ("Standings", "standings")):
        page.get_by_role("button", name=name).click()
        expect_phase(page, phase)
    page.get_by_role("button", name="End", exact=True).click()
    page.get_by_role("button", name="End it").click()
    expect_phase(page, "podium")


def test_a_class_moves_on_by_its_page_alone_when_nothing_else_does(teach: Open, game: Stack) -> None:
    code = hold(game, seconds=2)
    page = teach("/class/", **LAPTOP)
    show(page, "host", code)
    for name in ("beat", "worker"):
        game.stop(name)
    try:
        press(page, "n", "card")
        expect_phase(page, "reveal", timeout=10_000)
    finally:
        game.start_worker()
        game.start_beat()


def test_the_projector_shows_where_the_class_is_after_the_web_process_was_killed(teach: Open, game: Stack) -> None:
    code = hold(game)
    page = teach("/class/", **LAPTOP)
    show(page, "host", code)
    game.kill("web")
    expect(page.locator("#live")).to_have_text("No connection")
    move(game, code, "start")
    game.start_web()
    expect_phase(page, "card", timeout=30_000)
    expect(page.locator("#live")).to_be_empty()
    press(page, "n", "reveal")
