import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone

from game.pool.models import Category
from scraping import selectors
from scraping.models import Feed, OptOut, Schedule, ScrapeRun, SourceStatus
from tests.people import client_of
from tests.scraping.pages import make_feed, make_post, make_run, make_visit, words_of

PAGES = ["/scraping/", "/scraping/run/{run}/", "/scraping/category/birds/", "/scraping/account/{feed}/opt-out/"]
ACTIONS = [
    "/scraping/run/{run}/cancel/",
    "/scraping/source/x/ask-again/",
    "/scraping/category/birds/schedule/",
    "/scraping/account/{feed}/list/",
]
BLUESKY = {"category": "birds", "handles": "bluesky:ada.bsky.social", "task": "scrape"}


@pytest.fixture
def run(category: Category) -> ScrapeRun:
    return make_run(category)


@pytest.mark.parametrize("path", PAGES)
def test_pages_open_to_moderators_alone(path: str, run: ScrapeRun, feed: Feed) -> None:
    path = path.format(run=run.pk, feed=feed.pk)
    answers = {name: client_of(name).get(path) for name in ("anonymous", "ada", "teacher", "moderator")}
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "anonymous": 302,
        "ada": 403,
        "teacher": 403,
        "moderator": 200,
    }
    assert answers["anonymous"]["Location"] == f"/account/sign-in/?next={path}"


@pytest.mark.parametrize("path", ["/scraping/", "/scraping/account/{feed}/opt-out/", *ACTIONS])
def test_nobody_else_can_act(path: str, run: ScrapeRun, feed: Feed) -> None:
    SourceStatus.objects.create(name="x", rests_until=timezone.now())
    path = path.format(run=run.pk, feed=feed.pk)
    codes = [client_of(name).post(path, BLUESKY | {"daily": "on"}).status_code for name in ("anonymous", "ada", "teacher")]
    assert codes == [302, 403, 403]
    assert list(ScrapeRun.objects.values_list("pk", "state")) == [(run.pk, "waiting")]
    assert list(Feed.objects.values_list("listed", "state")) == [(True, "open")]
    assert SourceStatus.objects.get().rests_until is not None
    assert not Schedule.objects.exists()
    assert not OptOut.objects.exists()


@pytest.mark.parametrize("path", ACTIONS)
def test_following_a_link_does_nothing(path: str, moderator: Client, run: ScrapeRun, feed: Feed) -> None:
    assert moderator.get(path.format(run=run.pk, feed=feed.pk)).status_code == 405


@pytest.mark.parametrize("path", ["/scraping/", "/scraping/account/{feed}/opt-out/", *ACTIONS])
def test_a_page_of_another_site_can_do_nothing(path: str, run: ScrapeRun, feed: Feed) -> None:
    client = client_of("moderator", enforce_csrf_checks=True)
    assert client.post(path.format(run=run.pk, feed=feed.pk), BLUESKY).status_code == 403


@pytest.mark.parametrize("path", ["/scraping/", "/scraping/account/{feed}/opt-out/", *ACTIONS])
def test_one_address_can_not_act_without_end(path: str, moderator: Client, run: ScrapeRun, feed: Feed, settings) -> None:
    settings.RATE_SCRAPING = "1/h"
    path = path.format(run=run.pk, feed=feed.pk)
    assert [moderator.post(path).status_code == 429 for _ in range(2)] == [False, True]
    assert moderator.get("/scraping/").status_code == 200


def test_the_link_to_the_page_is_shown_to_those_who_may(db: None) -> None:
    def is_linked(name: str, part: str) -> bool:
        page = client_of(name).get("/account/").content.decode()
        return 'href="/scraping/"' in page[page.index(f"<{part}") : page.index(f"</{part}>")]

    # On a phone the header has no room for it.
    for part in ("header", "main"):
        assert {name: is_linked(name, part) for name in ("ada", "teacher", "moderator")} == {
            "ada": False,
            "teacher": False,
            "moderator": True,
        }


def test_a_run_is_cancelled_and_one_that_is_over_stays(moderator: Client, category: Category, run: ScrapeRun) -> None:
    assert moderator.post(f"/scraping/run/{run.pk}/cancel/")["Location"] == f"/scraping/run/{run.pk}/"
    run.refresh_from_db()
    assert (run.state, run.error) == ("cancelled", "cancelled by moderator")
    done = make_run(category, state="done")
    moderator.post(f"/scraping/run/{done.pk}/cancel/")
    done.refresh_from_db()
    assert (done.state, done.cancel_asked_at) == ("done", None)
    assert moderator.post("/scraping/run/999999/cancel/").status_code == 404


def test_a_source_that_sent_us_away_is_asked_again_when_somebody_says_so(moderator: Client) -> None:
    until = timezone.now() + timedelta(hours=3)
    SourceStatus.objects.create(name="mastodon", banned_at=timezone.now(), rests_until=until, reason="403 from example.org")
    page = words_of(moderator.get("/scraping/"))
    assert "Mastodon Resting Ask it again Mastodon Everything public" in page
    assert f"It is left alone until {until:%-d %b, %H:%M}. 403 from example.org" in page
    moderator.post("/scraping/source/mastodon/ask-again/")
    assert SourceStatus.objects.get().rests_until is None
    page = words_of(moderator.get("/scraping/"))
    assert "Mastodon will be asked again by the next run." in page
    assert "Mastodon Ready" in page
    assert moderator.post("/scraping/source/telegram/ask-again/").status_code == 404


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "A scraping worker takes it in a moment."),
        ({"created_at": timezone.now() - timedelta(minutes=5)}, "No scraping worker has taken it yet."),
        ({"state": "running"}, "Fetching 0% 0 of 1 account · 2 pages · 30 posts · 20 new · 7 kept Every page is kept as it comes"),
        ({"state": "running", "task": "check"}, "Checking what is still there 0% 0 of 1 account · 30 asked about · 20 gone"),
        ({"state": "running", "cancel_asked_at": timezone.now()}, "Stopping"),
        ({"state": "running", "spent": Decimal("0.5"), "budget": Decimal(2)}, "$0.50 of $2.00 spent"),
        (
            {"state": "failed", "error": "the disk is full: make room"},
            "The disk is full: make room. 1 account stopped before the end, and goes on there next time. Start again",
        ),
        (
            {"state": "cancelled", "error": "cancelled by maud"},
            "Cancelled by maud. 1 account stopped before the end, and goes on there next time. Start again",
        ),
        ({"state": "done", "note": "bluesky asked to wait\nx: no token"}, "bluesky asked to wait x: no token"),
    ],
)
def test_a_run_says_how_it_is(moderator: Client, feed: Feed, values: dict[str, Any], said: str) -> None:
    run = make_run(feed.category, **values)
    make_visit(run, feed, state="running", pages=2, posts=30, new=20, kept=7)
    assert said in words_of(moderator.get(f"/scraping/run/{run.pk}/"))


def test_a_run_that_is_over_says_who_was_not_finished_and_why(moderator: Client, feed: Feed) -> None:
    run = make_run(feed.category, state="done")
    make_visit(run, feed, state="stopped", posts=100, note="The cap of 100 posts was reached")
    page = words_of(moderator.get(f"/scraping/run/{run.pk}/"))
    assert "Done in part" in page
    assert "1 account stopped before the end, and goes on there next time." in page
    assert "bluesky: ada.bsky.social Stopped 0 pages · 100 posts · 0 new · 0 kept The cap of 100 posts was reached" in page


def test_a_run_that_was_sent_away_is_not_shown_as_one_that_went_well(moderator: Client, feed: Feed) -> None:
    run = make_run(feed.category, state="failed", error="bluesky sent us away")
    make_visit(run, feed, state="stopped")
    page = moderator.get(f"/scraping/run/{run.pk}/")
    assert re.search(r'<progress [^>]*max="1" value="0"', page.content.decode())
    assert "Failed 0% 0 of 1 account" in words_of(page)
    assert "Notes Nothing but what stands above." in words_of(page)


def test_a_run_that_stopped_before_the_end_is_called_so_everywhere(moderator: Client, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scraping.selectors.SHOWN_RUNS", 1)
    for _ in range(2):
        make_visit(make_run(feed.category, state="done"), feed, state="stopped")
    first, last = ScrapeRun.objects.order_by("pk").values_list("pk", flat=True)
    page = words_of(moderator.get("/scraping/"))
    assert f"Run {last} Birds Done in part" in page
    assert f"Run {first}, Birds: done in part" in page
    assert f"run {last}, done in part" in page
    assert re.search(rf"Run {last}, [^:]*:\d\d: done in part", words_of(moderator.get("/scraping/category/birds/")))


@pytest.mark.parametrize(
    ("state", "dropped", "said"),
    [
        ("running", {}, "Nothing yet."),
        ("running", {"LINK": 1}, "Reload the page to see some of them."),
        ("done", {}, "Nothing."),
        ("done", {"LINK": 1}, "Reload the page to see some of them."),
    ],
)
def test_whether_there_are_dropped_posts_to_see_is_said_as_the_run_goes_on(
    moderator: Client, feed: Feed, state: str, dropped: dict[str, int], said: str
) -> None:
    run = make_run(feed.category, state=state)
    make_visit(run, feed, dropped=dropped)
    page = moderator.get(f"/scraping/run/{run.pk}/").content.decode()
    frame = render_to_string("scraping/run/live.html", selectors.read_run(run.pk, now=timezone.now()))
    assert re.findall(r'<p id="newer"[^>]*>(.*?)</p>', page + frame) == [said, said]


def test_a_run_that_waits_says_for_which(moderator: Client, category: Category, run: ScrapeRun) -> None:
    first = make_run(category, state="running")
    assert f"It starts when run {first.pk} is over." in words_of(moderator.get(f"/scraping/run/{run.pk}/"))


def test_dropped_posts_are_shown_as_text_five_of_a_reason(moderator: Client, feed: Feed) -> None:
    run = make_run(feed.category, state="done")
    make_visit(run, feed, state="done", dropped={"LINK": 7, "MARKUP": 1})
    for number in range(7):
        make_post(feed, text=f"<b>number {number}</b> is at https://example.org/{number}")
    make_post(feed, outcome="MARKUP", text=None)
    page = moderator.get(f"/scraping/run/{run.pk}/")
    assert re.findall(r"&lt;b&gt;number (\d)&lt;/b&gt; is at https://example.org", page.content.decode()) == ["6", "5", "4", "3", "2"]
    assert 'href="https://example.org' not in page.content.decode()
    assert "Its text was not kept." in words_of(page)
    assert 'href="/scraping/category/birds/?reason=LINK"' in page.content.decode()


@pytest.mark.parametrize("path", PAGES)
def test_no_style_or_script_stands_in_the_page(path: str, moderator: Client, run: ScrapeRun, feed: Feed) -> None:
    make_visit(run, feed)
    make_post(feed)
    page = moderator.get(path.format(run=run.pk, feed=feed.pk)).content.decode()
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]* src=)", page)


def fill(number: int) -> None:
    category = Category.objects.create(slug=f"birds-{number}", name=f"Birds {number}")
    feed = make_feed(category)
    Schedule.objects.create(category=category, next_at=timezone.now())
    for state in ("done", "running", "waiting"):
        make_visit(make_run(category, state=state), feed, started_at=timezone.now(), dropped={"LINK": 1})


def test_more_categories_and_runs_need_no_more_queries(moderator: Client, django_assert_num_queries, django_assert_max_num_queries) -> None:
    fill(0)
    moderator.get("/scraping/")
    with django_assert_max_num_queries(20) as one:
        moderator.get("/scraping/")
    for number in (1, 2):
        fill(number)
    with django_assert_num_queries(len(one)):
        moderator.get("/scraping/")


@pytest.mark.parametrize("path", ["/scraping/run/{run}/", "/scraping/category/birds/", "/scraping/category/birds/?reason=LINK"])
def test_more_accounts_and_posts_need_no_more_queries(
    path: str, moderator: Client, feed: Feed, django_assert_num_queries, django_assert_max_num_queries
) -> None:
    run = make_run(feed.category, state="running")
    path = path.format(run=run.pk)
    make_visit(run, feed, dropped={"LINK": 1})
    make_post(feed)
    moderator.get(path)
    with django_assert_max_num_queries(20) as one:
        moderator.get(path)
    for number, reason in enumerate(("LINK", "REPLY", "MARKUP")):
        other = make_feed(feed.category, f"x:ada{number}", state="missing")
        make_visit(run, other, dropped={reason: 1})
        make_post(other, outcome=reason)
    with django_assert_num_queries(len(one)):
        moderator.get(path)


def test_there_is_no_page_of_what_never_was(moderator: Client) -> None:
    paths = ("run/999999/", "category/nowhere/", "account/999999/opt-out/")
    assert [moderator.get(f"/scraping/{path}").status_code for path in paths] == [404, 404, 404]


def test_the_pages_are_drawn_also_where_there_is_nothing(moderator: Client, category: Category) -> None:
    page = words_of(moderator.get("/scraping/"))
    assert "Nothing has been fetched here yet." in page
    assert "No category lists accounts yet." in page
    assert page.count("Nothing fetched in the last hour") == 2
    page = words_of(moderator.get("/scraping/category/birds/"))
    assert "No accounts yet." in page
    assert "0 posts in all." in page
    page = words_of(moderator.get(f"/scraping/run/{make_run(category, state='cancelled').pk}/"))
    assert "It ended before it came to an account." in page
