import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from game.pool.models import Category, Kind, Status, Tweet
from game.pool.services import NewTweet, add_tweets, get_author
from scraping.models import Feed, OptOut, RawPost, Schedule, ScrapeRun, SourceStatus
from tests.people import client_of
from tests.scraping.pages import make_feed, make_post, make_run, make_visit

PAGES = ["/scraping/", "/scraping/run/{run}/", "/scraping/category/birds/", "/scraping/account/{feed}/opt-out/"]
ACTIONS = [
    "/scraping/run/{run}/cancel/",
    "/scraping/source/x/ask-again/",
    "/scraping/category/birds/schedule/",
    "/scraping/account/{feed}/list/",
]
BLUESKY = {"category": "birds", "handles": "bluesky:ada.bsky.social", "task": "scrape"}


@pytest.fixture
def feed(category: Category) -> Feed:
    return make_feed(category, state="open")


@pytest.fixture
def run(category: Category) -> ScrapeRun:
    return make_run(category)


@pytest.fixture
def moderator(db: None) -> Client:
    return client_of("moderator")


def words_of(response) -> str:
    """Return what a page says, without its markup."""
    text = re.sub(r"<[^>]*>", " ", response.content.decode())
    return re.sub(r"\s+([.,:])", r"\1", " ".join(text.split()))


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
    shown = {name: 'href="/scraping/"' in client_of(name).get("/account/").content.decode() for name in ("ada", "teacher", "moderator")}
    assert shown == {"ada": False, "teacher": False, "moderator": True}


def test_a_name_and_a_list_make_a_category_and_start_a_run(moderator: Client) -> None:
    handles = "# found by hand\n\nbluesky:Ada.bsky.social\nmastodon:@bea@example.org\nhttps://bsky.app/profile/cy.example.org\n"
    form = {
        "category": " Night  astronomers ",
        "handles": handles,
        "task": "scrape",
        "language": "DE",
        "cap": "200",
        "sources": ["bluesky"],
    }
    response = moderator.post("/scraping/", form)
    run = ScrapeRun.objects.get()
    assert response["Location"] == f"/scraping/run/{run.pk}/"
    assert (run.category.slug, run.category.name, run.category.language) == ("night-astronomers", "Night astronomers", "de")
    assert (run.task, run.sources, run.cap, run.budget, run.asked_by, run.state) == (
        "scrape",
        ["bluesky"],
        200,
        None,
        User.objects.get(),
        "waiting",
    )
    assert [str(feed) for feed in Feed.objects.all()] == ["bluesky:ada.bsky.social", "bluesky:cy.example.org", "mastodon:bea@example.org"]


@pytest.mark.parametrize("name", ["birds", "Birds", " BIRDS "])
def test_a_category_that_is_there_is_found_by_its_name(moderator: Client, feed: Feed, name: str) -> None:
    moderator.post("/scraping/", {"category": name, "task": "check"})
    assert ScrapeRun.objects.get().category == feed.category
    assert Category.objects.count() == 1


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"handles": "bluesky:ada.bsky.social\nnobody"}, "handles, line 2: 'nobody' names no source"),
        ({"handles": "telegram:ada"}, "handles, line 1: 'telegram' is no source"),
        ({"handles": ""}, "There is no category “Larks” yet. List accounts for it, and it is made."),
        ({"category": "???"}, "A category needs a name with letters or digits"),
        ({"category": ""}, "This field is required."),
        ({"cap": "0"}, "Ensure this value is greater than or equal to 1."),
        ({"budget": "-1"}, "Ensure this value is greater than or equal to 0.001."),
        ({"language": "xx-yy"}, "It can't be told from others"),
        ({"sources": ["x"]}, "larks lists no accounts at x"),
        ({"sources": ["telegram"]}, "Select a valid choice."),
        ({"task": "steal"}, "Select a valid choice."),
    ],
)
def test_what_is_wrong_with_a_run_is_said_and_nothing_is_left_behind(moderator: Client, form: dict[str, Any], said: str) -> None:
    response = moderator.post("/scraping/", BLUESKY | {"category": "Larks"} | form)
    assert said in words_of(response).replace("&#x27;", "'")
    assert form.get("handles", "bluesky:ada.bsky.social") in response.content.decode()
    assert (ScrapeRun.objects.count(), Feed.objects.count(), Category.objects.count()) == (0, 0, 0)


def test_a_second_run_that_would_wait_says_so(moderator: Client, feed: Feed, run: ScrapeRun) -> None:
    assert "birds has one waiting already." in words_of(moderator.post("/scraping/", BLUESKY))


def test_what_costs_money_is_asked_twice_and_says_how_much(moderator: Client, category: Category) -> None:
    form = {"category": "birds", "handles": "x:ada\nx:bea\nbluesky:cy.example.org", "task": "scrape", "cap": "100"}
    page = moderator.post("/scraping/", form)
    assert "This reads 2 accounts of X, which is paid. It costs $1.02 at most, and stops at the budget." in words_of(page)
    assert "Say how many dollars it may cost." in words_of(page)
    assert 'name="agreed" value="1.020"' in page.content.decode()
    assert not Feed.objects.exists()
    # The list has grown since, so what was agreed to is no longer what it costs.
    page = moderator.post("/scraping/", form | {"handles": form["handles"] + "\nx:dee", "agreed": "1.020", "budget": "5"})
    assert "This reads 3 accounts of X" in words_of(page)
    assert "Say how many dollars" not in words_of(page)
    assert not ScrapeRun.objects.exists()
    moderator.post("/scraping/", form | {"agreed": "1.020", "budget": "0.5"})
    run = ScrapeRun.objects.get()
    assert (run.budget, run.cap) == (Decimal("0.5"), 100)


def test_x_shows_no_more_than_its_newest_posts_and_costs_no_more(moderator: Client, category: Category) -> None:
    page = moderator.post("/scraping/", {"category": "birds", "handles": "x:ada", "task": "scrape"})
    assert "It costs $4.01 at most" in words_of(page)


def test_a_check_of_x_costs_by_the_posts_that_were_kept(moderator: Client, category: Category) -> None:
    ada = make_feed(category, "x:ada", account_id="17")
    for outcome in ("kept", "kept", "gone"):
        make_post(ada, outcome=outcome)
    page = moderator.post("/scraping/", {"category": "birds", "task": "check"})
    assert "It costs $0.02 at most" in words_of(page)


def test_what_is_free_is_not_asked_twice(moderator: Client, feed: Feed) -> None:
    make_feed(feed.category, "x:ada")
    moderator.post("/scraping/", BLUESKY | {"sources": ["bluesky"]})
    assert ScrapeRun.objects.get().sources == ["bluesky"]


def test_a_run_can_be_asked_for_again_as_it_was(moderator: Client, category: Category) -> None:
    run = make_run(category, state="failed", error="no", task="check", sources=["x"], cap=77, budget=Decimal("1.5"))
    page = moderator.get(f"/scraping/?from={run.pk}").content.decode()
    assert 'name="category" value="birds"' in page
    assert 'name="cap" value="77"' in page
    assert re.search(r'<option value="check" selected>', page)
    assert re.search(r'value="x"[^>]* checked', page)
    assert 'name="category" value="bees"' in moderator.get("/scraping/?category=bees").content.decode()
    assert moderator.get("/scraping/?from=nonsense").status_code == 200
    assert moderator.get(f"/scraping/?from={'9' * 30}").status_code == 200


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


def test_a_category_is_made_daily_and_left_alone_again(moderator: Client, feed: Feed) -> None:
    before = timezone.now()
    response = moderator.post("/scraping/category/birds/schedule/", {"daily": "on", "cap": "50", "sources": ["bluesky"]})
    assert response["Location"] == "/scraping/category/birds/"
    schedule = Schedule.objects.get()
    assert (schedule.sources, schedule.cap, schedule.budget) == (["bluesky"], 50, None)
    assert before <= schedule.next_at <= timezone.now()
    page = moderator.get("/scraping/category/birds/")
    assert "Birds is fetched every day from now on." in words_of(page)
    assert 'name="cap" value="50"' in page.content.decode()
    assert re.search(r'name="daily"[^>]* checked', page.content.decode())
    assert "Birds Daily" in words_of(moderator.get("/scraping/"))
    moderator.post("/scraping/category/birds/schedule/", {})
    assert not Schedule.objects.exists()
    assert "Birds is fetched when somebody asks for it." in words_of(moderator.get("/scraping/category/birds/"))


def test_a_daily_run_that_costs_money_needs_a_budget(moderator: Client, category: Category) -> None:
    make_feed(category, "x:ada")
    page = words_of(moderator.post("/scraping/category/birds/schedule/", {"daily": "on"}))
    assert "x costs money by the post" in page
    assert "It lists 1 account of X, which is paid: $4.01 a run at most, and no more than the budget." in page
    assert not Schedule.objects.exists()


def test_an_account_is_taken_off_the_list_and_put_back(moderator: Client, feed: Feed) -> None:
    path = f"/scraping/account/{feed.pk}/list/"
    assert moderator.post(path, {"listed": "no"})["Location"] == "/scraping/category/birds/"
    feed.refresh_from_db()
    assert feed.listed is False
    assert "Off the list" in words_of(moderator.get("/scraping/category/birds/"))
    moderator.post(path, {"listed": "yes"})
    feed.refresh_from_db()
    assert feed.listed is True
    assert "ada.bsky.social is on the list again." in words_of(moderator.get("/scraping/category/birds/"))


def test_taking_a_person_out_asks_first_and_erases(moderator: Client, feed: Feed) -> None:
    person = get_author(kind=Kind.HUMAN, platform="bluesky", handle=feed.handle, name="Ada")
    add_tweets(category=feed.category, tweets=[NewTweet(person, "The heron stood there as if it had paid rent.")], status=Status.APPROVED)
    make_post(feed, text="what was dropped")
    path = f"/scraping/account/{feed.pk}/opt-out/"
    asked = words_of(moderator.get(path))
    assert "Take ada.bsky.social out for good?" in asked
    assert "1 tweet of this account is withdrawn and its words erased" in asked
    assert Tweet.objects.get().text
    assert moderator.post(path, {"reason": " wrote  to us "})["Location"] == "/scraping/category/birds/"
    entry, tweet = OptOut.objects.get(), Tweet.objects.get()
    assert (entry.platform, entry.handle, entry.reason, str(entry.by)) == ("bluesky", "ada.bsky.social", "wrote to us", "moderator")
    assert (tweet.text, tweet.status) == ("", "withdrawn")
    assert RawPost.objects.get().record is None
    page = moderator.get("/scraping/category/birds/")
    assert "ada.bsky.social is out for good. 1 tweet erased." in words_of(page)
    assert "bluesky: ada.bsky.social Opted out" in words_of(page)
    assert path not in page.content.decode()


def test_somebody_who_is_out_is_not_put_back_by_an_old_page(moderator: Client, feed: Feed) -> None:
    moderator.post(f"/scraping/account/{feed.pk}/opt-out/")
    moderator.post(f"/scraping/account/{feed.pk}/list/", {"listed": "yes"})
    feed.refresh_from_db()
    assert feed.listed is False
    assert "ada.bsky.social has opted out, and stays off the list." in words_of(moderator.get("/scraping/category/birds/"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "A scraping worker takes it in a moment."),
        ({"created_at": timezone.now() - timedelta(minutes=5)}, "No scraping worker has taken it yet."),
        ({"state": "running"}, "Fetching 0% 0 of 1 account · 2 pages · 30 posts · 20 new · 7 kept Every page is kept as it comes"),
        ({"state": "running", "task": "check"}, "Checking what is still there 0% 0 of 1 account · 30 asked about · 20 gone"),
        ({"state": "running", "cancel_asked_at": timezone.now()}, "Stopping"),
        ({"state": "running", "spent": Decimal("0.5"), "budget": Decimal(2)}, "$0.50 of $2.00 spent"),
        ({"state": "failed", "error": "the disk is full: make room"}, "The disk is full: make room. Start again"),
        ({"state": "cancelled", "error": "cancelled by maud"}, "Cancelled by maud. Start again"),
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


def test_dropped_posts_are_paged_to_the_last(moderator: Client, feed: Feed) -> None:
    for number in range(120):
        make_post(feed, text=f"post-{number}.")
    make_post(feed, outcome="REPLY", text="something else")
    path, seen = "/scraping/category/birds/?reason=LINK", []
    while path:
        page = moderator.get(path).content.decode()
        seen.append([int(number) for number in re.findall(r"post-(\d+)\.", page)])
        older = re.search(r'href="(\?reason=LINK&amp;before=\d+)" rel="next"', page)
        path = f"/scraping/category/birds/{older[1].replace('&amp;', '&')}" if older else ""
    assert seen == [list(range(119, 69, -1)), list(range(69, 19, -1)), list(range(19, -1, -1))]


@pytest.mark.parametrize("query", ["?reason=NONSENSE", "?reason=LINK&before=nonsense", f"?reason=LINK&before={'9' * 40}", "?page=nonsense"])
def test_an_address_that_makes_no_sense_shows_the_page_all_the_same(moderator: Client, feed: Feed, query: str) -> None:
    make_post(feed, text="still there")
    assert "still there" in words_of(moderator.get(f"/scraping/category/birds/{query}"))


def test_many_accounts_come_page_by_page(moderator: Client, category: Category) -> None:
    Feed.objects.bulk_create(Feed(category=category, source="x", handle=f"ada{number:03}") for number in range(130))
    for page, count in ((1, 100), (2, 30)):
        found = moderator.get(f"/scraping/category/birds/?page={page}")
        assert len(re.findall(r"x:</span>ada\d+", found.content.decode())) == count
        assert f"Page {page} of 2" in words_of(found)


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
