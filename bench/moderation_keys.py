"""moderate.key_to_next: how long a moderator waits between a key and the next tweet, in Chromium, in a long queue and in a short one."""

from contextlib import ExitStack
from statistics import quantiles
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from bench.game import empty_game
from bench.pool import fill_pool
from bench.report import NotMeasured, Row
from bench.timing import interleave
from tests.chromium import FLAGS, find_chromium
from tests.stack import Stack, wait_for

SIZES = {"queue-1k": 1_000, "queue-100k": 100_000}
SHORT, LONG = SIZES
TURNS, WARM_UP = 150, 20
# Between two keys of each queue; a fast moderator decides two a second, in one.
REST_MS = 120
PASSWORD = "a bench needs no secret"
_MODERATOR = """
from django.contrib.auth.models import Group, User
User.objects.create_user("bench", password={!r}).groups.add(Group.objects.get(name="moderator"))
"""
# From the key, as the browser stamped it, to the end of the frame that shows another tweet: a message posted before a frame is
# painted arrives after it.
_WATCH = """
const shown = () => document.querySelector("#items > .item:not([hidden])")?.dataset.tweet;
window.painted = [];
addEventListener("keydown", (event) => {
  const before = shown();
  const look = () => {
    if (!shown() || shown() === before) return requestAnimationFrame(look);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => painted.push(performance.now() - event.timeStamp);
    port2.postMessage("");
  };
  requestAnimationFrame(look);
}, { capture: true });
"""
_WAIT = """new Promise((done) => {
  const look = () => painted.length ? done(painted.pop()) : setTimeout(look, 5);
  look();
})"""


def measure() -> list[Row]:
    """Approve tweets of both queues in turns, against a running game."""
    with ExitStack() as cleanup:
        stack = cleanup.enter_context(empty_game())
        _fill(stack)
        stack.start_web()
        playwright = cleanup.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        cleanup.callback(browser.close)
        pages = {slug: _open(browser, stack, slug) for slug in SIZES}
        times: dict[str, list[float]] = {slug: [] for slug in SIZES}

        def press(slug: str) -> float:
            times[slug].append(_press(pages[slug]))
            return times[slug][-1]

        medians = interleave({SHORT: lambda: press(SHORT), LONG: lambda: press(LONG)}, turns=TURNS, warm_up=WARM_UP)
        _check(stack)
    slow = quantiles(times[LONG][WARM_UP:], n=20)[-1]
    note = f"{SIZES[LONG]:,} pending; 95 % within {slow:.0f} ms; {TURNS} keys"
    growth = f"{medians[LONG]:.1f} ms among {SIZES[LONG]:,} / {medians[SHORT]:.1f} ms among {SIZES[SHORT]:,}"
    return [
        Row("moderate.key_to_next", round(medians[LONG], 1), 50, "ms", note),
        Row("moderate.key_to_next.growth", round(medians[LONG] / medians[SHORT], 2), 1.3, "ratio", growth),
    ]


def _fill(stack: Stack) -> None:
    stack.env |= {"DJANGO_SETTINGS_MODULE": "bench.settings"}
    stack.manage("collectstatic", "--noinput", "--verbosity", "0")
    stack.manage("shell", "--no-imports", "-c", _MODERATOR.format(PASSWORD))
    with stack.connect() as connection:
        fill_pool(connection, SIZES)
        connection.execute("UPDATE pool_tweet SET status = 'pending', checked_at = now()")
        connection.execute("VACUUM ANALYZE pool_tweet")


def _open(browser: Browser, stack: Stack, slug: str) -> Page:
    page = browser.new_page(base_url=stack.base_url)
    page.goto(f"/account/sign-in/?next=/moderate/{slug}/")
    page.get_by_label("Username").fill("bench")
    page.get_by_label("Password").fill(PASSWORD)
    page.add_init_script(_WATCH)
    page.get_by_role("button", name="Sign in").click()
    page.locator("#queue[data-ready]").wait_for()
    return page


def _press(page: Page) -> float:
    """Approve, and return the milliseconds until the next tweet is painted."""
    page.wait_for_timeout(REST_MS)
    page.keyboard.press("a")
    time: Any = page.evaluate(_WAIT)
    return float(time)


def _check(stack: Stack) -> None:
    """Wait until every key has become a decision in the log."""
    query = "SELECT count(*) FROM pool_moderationevent WHERE after = 'approved'"
    expected = len(SIZES) * (TURNS + WARM_UP)

    def logged() -> int:
        with stack.connect() as connection:
            return int(connection.execute(query).fetchone()[0])  # type: ignore[index]  # a count has a row

    wait_for(lambda: logged() >= expected, what=f"{expected} decisions are in the log")
    if logged() != expected:
        raise NotMeasured(f"{logged()} decisions are in the log, not {expected}.")
