"""A deck to play with in the running game, the awkward tweets among them, and pages to play it on."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import classes, moderators
from tests.browser.actions import Open
from tests.stack import Stack

# The human and the machine tweets are alike: the look of a card must not hang on who wrote it.
SEED = """
from game.pool.models import Category, Kind, Status
from game.pool.rules import fingerprint, is_for_training
from game.pool.services import NewTweet, add_tweets, get_author

HARD = (
    "{who} walked out to the end of the pier {n} times this week, counted the boats, lost count at the ferry, started again from the"
    " lighthouse, and came home with a number that nobody at the table believed, least of all the fisherman, who owns most of them and"
    " has never once counted #Harbour #BoatsOfTheNorthSea2016 @somebody 🚢⛵🛶",
    "#{who}AndTheNeverEndingHashtagThatHasNoPlaceWhereItCouldBreak{n} {long}",
    "هذا الصباح كان البحر هادئا والناس يمشون على الشاطئ {who} {n} دون أن يقول أحد شيئا",
    "Three things for {who} on day {n}:\\n1. Coffee\\n2. More coffee\\n3. The boat",
    "{who} saw {n} <b>gulls</b> & one “heron”; nothing else moved.",
)

# As long as a tweet can be.
LONG = "{who} went to the end of the pier on day {n} and wrote down all that there is to see:" + " a gull, a rope, a boat," * 12 + " a net."

def texts(who, human, forms):
    kept, n = [], 0
    while len(kept) < 60:
        text = forms[n % len(forms)].format(who=who, n=n, long="A" * 60)
        if not human or not is_for_training(fingerprint(text)):
            kept.append(text)
        n += 1
    return kept

# Their tweets are nearly the same: a category that approves by itself would have the machine's wait for a moderator.
by_hand = {"approves_clean": False}
harbour = Category.objects.create(
    slug="harbour", name="Harbour", description="People who live by the water.", approves_clean=False, color="teal"
)
pier = Category.objects.create(slug="pier", name="Pier", description="People who have much to say.", color="rose", **by_hand)
Category.objects.create(slug="desert", name="Desert", description="Nobody has written from there yet.")
person = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada_harbour", name="Ada Harbour")
model = get_author(kind=Kind.MACHINE, platform="model", handle="harbour-v1", name="harbour v1")
human = {"likes": 1234, "shares": 1, "link": "https://example.org/1"}
machine = {"model": "harbour", "version": 1, "temperature": 0.9, "topk": 200, "topp": 0.95}
for author, who, facts in ((person, "Ada", human), (model, "Bea", machine)):
    for deck, forms in ((harbour, HARD), (pier, [LONG])):
        tweets = [NewTweet(author, text, facts=facts) for text in texts(who, author is person, forms)]
        add_tweets(category=deck, status=Status.APPROVED, tweets=tweets)
"""

# Also one right after a key or a click counts, which the browser's own score forgives; a hundredth of what that score calls good
# is the least. Below it a single icon was seen to move, once in hundreds of rounds, by less than could be found again.
LEAST_SHIFT = 0.001
WATCH_SHIFTS = f"""
window.shifts = [];
new PerformanceObserver((list) => {{
  const place = ({{ x, y, width, height }}) => [x, y, width, height].join();
  for (const entry of list.getEntries().filter((entry) => entry.value >= {LEAST_SHIFT}))
    shifts.push(entry.sources.map(({{ node, previousRect, currentRect }}) =>
      `${{node?.nodeName}} ${{node?.getAttribute?.("class")}} from ${{place(previousRect)}} to ${{place(currentRect)}}`));
}}).observe({{ type: "layout-shift", buffered: true }});
"""


@pytest.fixture(scope="session")
def game(stack: Stack) -> Stack:
    """Return the running game with a deck `harbour` that can be played, a deck `pier` of long tweets, and a deck `desert` that can't."""
    stack.manage("shell", "--no-imports", "-c", SEED)
    return stack


@pytest.fixture
def open_page(browser: Browser, game: Stack) -> Iterator[Open]:
    """Return a function that opens a path as a new person; at the end nothing may have been complained of."""
    contexts, complaints = [], []

    def open_as_somebody(path: str, **options: Any) -> Page:
        context = browser.new_context(base_url=game.base_url, **options)
        contexts.append(context)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.add_init_script(WATCH_SHIFTS)
        page.goto(path)
        return page

    yield open_as_somebody
    for context in contexts:
        context.close()
    # Pages that answer 4xx or 5xx, and a connection that is cut, are asked for by the tests.
    expected = ("Failed to load resource", "htmx:sendError", "htmx:afterRequest", "WebSocket connection to", "[object Event]")
    assert [text for text in complaints if not text.startswith(expected)] == []


@pytest.fixture
def enter(open_page: Open, game: Stack) -> Iterator[Open]:
    """Return a function that opens a queue as a moderator: quay, who, and what they hold in their hands."""
    quays = set()

    def open_signed_in(quay: str, who: str = "mona", **options: Any) -> Page:
        quays.add(quay)
        game.manage("shell", "--no-imports", "-c", moderators.SEED.format(password=moderators.PASSWORD, quay=quay))
        page = open_page(f"/account/sign-in/?next=/moderate/{quay}/", **options)
        moderators.sign_in(page, who)
        page.wait_for_url(f"**/moderate/{quay}/")
        if options.get("java_script_enabled", True):
            expect(page.locator("#queue")).to_have_attribute("data-ready", "")
        return page

    yield open_signed_in
    # A second try begins with a queue of its own.
    with game.connect() as connection:
        connection.execute("UPDATE pool_category SET slug = slug || '-' || id WHERE slug = ANY(%s)", [list(quays)])


@pytest.fixture
def teach(open_page: Open, game: Stack) -> Iterator[Open]:
    """Return a function that opens a page as the teacher whose classes tests hold; they are gone afterwards."""
    classes.run(game, classes.TEACHER)

    def open_signed_in(path: str, **options: Any) -> Page:
        page = open_page(f"/account/sign-in/?next={path}", **options)
        moderators.sign_in(page, "teacher")
        page.wait_for_url(f"**{path}")
        return page

    yield open_signed_in
    classes.run(game, 'ClassSession.objects.filter(teacher__username="teacher").delete()')
