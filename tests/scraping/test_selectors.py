from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.conf import settings

from game.pool.models import Category
from scraping import selectors, words
from scraping.catalogue import SOURCES, missing_for
from scraping.models import Schedule, SourceStatus
from scraping.rules import PLATFORMS
from scraping.samples import newest_posts
from scraping.words import Span, posts_in_hour
from tests.scraping.pages import make_feed, make_post, make_run, make_visit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("spans", "posts"),
    [
        ([], 0),
        ([Span(100, ago(10), ago(0))], 100),
        ([Span(100, ago(10), None)], 100),
        ([Span(100, ago(10), ago(0)), Span(50, ago(10), ago(5))], 150),
        # Half of it was within the hour.
        ([Span(100, ago(70), ago(50))], 50),
        ([Span(100, ago(120), None)], 50),
        ([Span(100, ago(90), ago(70))], 0),
        # A clock that went back, and an instant.
        ([Span(100, ago(10), ago(20))], 0),
        ([Span(5, ago(10), ago(10))], 5),
    ],
)
def test_the_posts_of_the_last_hour_are_counted(spans: list[Span], posts: int) -> None:
    assert posts_in_hour(spans, now=NOW) == posts


@pytest.mark.parametrize(("amount", "written"), [("75.03", "$75.03"), ("0.005", "$0.005"), ("1234.5", "$1,234.50"), ("0", "$0.00")])
def test_money_is_written_to_the_cent_and_finer_only_where_it_is(amount: str, written: str) -> None:
    assert words.dollars(Decimal(amount)) == written


def test_outcomes_are_said_in_words() -> None:
    assert [words.outcome(name) for name in ("LINK", "gone", "kept", "ELSE")] == ["has a link", "gone, or taken out", "kept", "ELSE"]


def test_the_catalogue_says_what_the_adapters_say() -> None:
    from scraping.sources.bluesky import BlueskySource
    from scraping.sources.mastodon import MastodonSource
    from scraping.sources.twint import TwintSource
    from scraping.sources.x import XSource

    assert SOURCES.keys() == PLATFORMS.keys()
    for adapter in (BlueskySource, MastodonSource, TwintSource, XSource):
        entry, able = SOURCES[adapter.name], adapter.abilities
        assert (entry.followers, entry.deletions) == (able.followers, able.deletions), entry.name
        assert (float(entry.price_of_post), float(entry.price_of_account)) == (able.price_of_post, able.price_of_account), entry.name


def test_what_a_source_lacks_is_one_thing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "X_BEARER_TOKEN", "")
    assert missing_for("x") == "Set X_BEARER_TOKEN to the token of an app on the X API."
    monkeypatch.setattr(settings, "X_BEARER_TOKEN", "a-token")
    assert (missing_for("x"), missing_for("bluesky")) == ("", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert missing_for("twint") == "Install it: sh requirements/install.sh scrape"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr(settings, "SCRAPE_PROXIES", [])
    assert missing_for("twint") == "Set SCRAPE_PROXIES to a proxy that leads to such a server."
    monkeypatch.setattr(settings, "SCRAPE_PROXIES", ["http://127.0.0.1:9"])
    assert missing_for("twint") == ""


def test_a_category_says_what_its_accounts_are_and_brought(category: Category) -> None:
    other = Category.objects.create(slug="bees", name="Bees")
    make_feed(other, state="missing")
    ada = make_feed(category, state="open")
    for number, state in enumerate(("open", "new", "protected"), 1):
        make_feed(category, f"x:ada{number}", state=state)
    make_feed(category, "x:gone", state="missing", listed=False)
    for new, kept in ((60, 20), (20, 10)):
        make_visit(make_run(category, state="done"), ada, new=new, kept=kept)
    check = make_run(category, state="failed", task="check")
    make_visit(check, ada, new=7)
    Schedule.objects.create(category=category, next_at=NOW)
    bees, birds = selectors.read_categories()
    assert (birds["accounts"], birds["states"]) == (4, "2 open, 1 new, 1 protected")
    assert (birds["seen"], birds["kept"], birds["share"], birds["last"], birds["schedule"].next_at) == (80, 30, 37.5, check, NOW)
    assert (bees["accounts"], bees["states"], bees["share"], bees["last"], bees["schedule"]) == (1, "1 missing", None, None, None)


def test_a_category_that_nobody_scrapes_is_not_listed(category: Category) -> None:
    assert selectors.read_categories() == []


def test_runs_that_go_on_stand_first_however_old(category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "EARLIER_RUNS", 0)
    waiting = make_run(category, task="check")
    running = make_run(category, state="running")
    over = [make_run(category, state="done") for _ in range(6)]
    found = selectors.read_runs(now=NOW)
    assert [entry["run"] for entry in found["runs"]] == [running, waiting, *reversed(over[3:])]
    assert found["earlier"] == list(reversed(over[1:3]))
    assert [entry["waits_for"] for entry in found["runs"]] == [None, running, None, None, None]


def test_a_run_counts_its_accounts_and_what_they_brought(category: Category) -> None:
    run = make_run(category, state="running", spent=Decimal("1.25"), budget=Decimal(5), note="a\nb")
    states = ("done", "running", "stopped", "skipped", "waiting")
    for number, state in enumerate(states):
        dropped = {"LINK": 2, "REPLY": number} if number else {}
        make_visit(run, make_feed(category, f"x:ada{number}"), state=state, pages=1, posts=10, new=5, kept=2, dropped=dropped)
    found = selectors.read_run(run.pk, now=NOW)
    assert found is not None
    assert {name: found[name] for name in ("accounts", "over", "stopped")} == {"accounts": 5, "over": 3, "stopped": 1}
    assert found["words"] == "5 pages · 50 posts · 25 new · 10 kept"
    assert (found["spent"], found["budget"], found["notes"]) == ("$1.25", "$5.00", ["a", "b"])
    assert found["dropped"] == [("REPLY", "reply", 10), ("LINK", "has a link", 8)]
    assert [row["words"] for row in found["visits"]] == ["1 page · 10 posts · 5 new · 2 kept"] * 5


@pytest.mark.parametrize("state", ["failed", "cancelled", "done"])
def test_a_run_that_is_over_says_of_no_account_that_it_goes_on(category: Category, state: str) -> None:
    run = make_run(category, state=state, error="" if state == "done" else "the disk is full")
    for number, visited in enumerate(("done", "running", "stopped", "skipped", "waiting")):
        make_visit(run, make_feed(category, f"x:ada{number}"), state=visited)
    found = selectors.read_run(run.pk, now=NOW)
    assert found is not None
    assert [row["state"] for row in found["visits"]] == ["done", "stopped", "stopped", "skipped", "not reached"]
    assert (found["over"], found["stopped"]) == ((3, 1) if state == "done" else (2, 3))


def test_runs_that_stopped_before_the_end_of_an_account_are_told_from_others(category: Category) -> None:
    feed = make_feed(category)
    runs = [make_run(category, state="done") for _ in range(2)]
    for run, visited in zip(runs, ("done", "stopped"), strict=True):
        make_visit(run, feed, state=visited)
    assert [vars(run)["in_part"] for run in selectors.read_newest_runs(category)] == [True, False]
    assert [entry["last"].in_part for entry in selectors.read_categories()] == [True]


def test_a_check_says_how_many_it_asked_about_and_how_many_are_gone(category: Category) -> None:
    run = make_run(category, state="done", task="check")
    make_visit(run, make_feed(category), state="done", posts=1200, new=3)
    found = selectors.read_run(run.pk, now=NOW)
    assert found is not None
    assert found["words"] == "1,200 asked about · 3 gone"


def test_a_run_that_has_not_begun_shows_whom_it_will_visit(category: Category) -> None:
    ada, _, _ = make_feed(category), make_feed(category, "x:bea"), make_feed(category, "bluesky:off.example.org", listed=False)
    run = make_run(category, sources=["bluesky"])
    found = selectors.read_run(run.pk, now=NOW)
    assert found is not None
    assert [(row["feed"], row["visit"].state) for row in found["visits"]] == [(ada, "waiting")]


def test_a_run_of_very_many_accounts_shows_the_first_ones(category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "SHOWN_VISITS", 2)
    run = make_run(category, state="running")
    for number in range(5):
        make_visit(run, make_feed(category, f"x:ada{number}"))
    found = selectors.read_run(run.pk, now=NOW)
    assert found is not None
    assert (len(found["visits"]), found["unshown"], found["accounts"]) == (2, 3, 5)


def test_a_source_says_how_we_stand_with_it(category: Category) -> None:
    SourceStatus.objects.create(name="x", remaining=3, limit=15, resets_at=NOW + timedelta(minutes=5))
    SourceStatus.objects.create(name="bluesky", remaining=3, limit=15, resets_at=ago(1), rests_until=NOW + timedelta(hours=1))
    SourceStatus.objects.create(name="mastodon", rests_until=ago(1))
    run = make_run(category, state="done", finished_at=ago(5))
    make_visit(run, make_feed(category), posts=120, started_at=ago(15), finished_at=ago(5))
    old = make_run(category, state="done", finished_at=ago(90))
    make_visit(old, make_feed(category, "x:ada"), posts=120, started_at=ago(100), finished_at=ago(90))
    found = {each["entry"].name: each for each in selectors.read_sources(now=NOW)}
    assert {name: (each["fresh"], each["banned"], each["posts"]) for name, each in found.items()} == {
        "bluesky": (False, True, 120),
        "mastodon": (False, False, 0),
        "x": (True, False, 0),
        "twint": (False, False, 0),
    }
    assert found["x"]["prices"] == ["$0.005", "$0.01"]


def test_samples_are_the_newest_of_all_accounts_and_of_this_category_alone(category: Category) -> None:
    bees = Category.objects.create(slug="bees", name="Bees")
    make_post(make_feed(bees), text="of another category")
    ada, bea = make_feed(category), make_feed(category, "x:bea")
    posts = [make_post(feed, text=f"number {number}") for number, feed in enumerate([ada, bea, ada, bea, ada, ada])]
    reply = make_post(bea, outcome="REPLY")
    found = newest_posts(category, ["LINK", "REPLY", "MARKUP"], 3)
    assert found == {"LINK": [posts[5], posts[4], posts[3]], "REPLY": [reply], "MARKUP": []}
    assert newest_posts(category, ["LINK"], 3, before=posts[3].pk)["LINK"] == [posts[2], posts[1], posts[0]]


def test_outcomes_are_counted_the_most_frequent_reason_first(category: Category) -> None:
    ada = make_feed(category)
    for outcome in ("kept", "LINK", "REPLY", "REPLY", "gone"):
        make_post(ada, outcome=outcome)
    found = selectors.read_outcomes(category)
    assert (found["total"], found["kept"], found["gone"]) == (5, 1, 1)
    assert [(row["words"], row["count"]) for row in found["dropped"]] == [("reply", 2), ("has a link", 1)]
