import re
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from game.pool.models import Category
from scraping.models import Feed, ScrapeRun
from tests.scraping.pages import make_feed, make_post, make_run, words_of

TWINT = "twint can't be read here yet. Set SCRAPE_PROXIES to a proxy that leads to such a server."
X = "X can't be read here yet. Set X_BEARER_TOKEN to the token of an app on the X API."
BLUESKY = {"category": "birds", "handles": "bluesky:ada.bsky.social", "task": "scrape"}


@pytest.fixture(autouse=True)
def token(settings) -> None:
    settings.X_BEARER_TOKEN = "a-token"


@pytest.fixture
def nothing_set_up(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.X_BEARER_TOKEN, settings.SCRAPE_PROXIES = "", []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())


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
        ({"handles": "bluesky:ada.bsky.social\nnobody"}, "Accounts to add, line 2: 'nobody' names no source"),
        ({"handles": "telegram:ada"}, "Accounts to add, line 1: 'telegram' is no source"),
        ({"handles": ""}, "There is no category “Larks” yet. List accounts for it, and it is made."),
        ({"category": "???"}, "A category needs a name with letters or digits"),
        ({"category": ""}, "This field is required."),
        ({"cap": "0"}, "Ensure this value is greater than or equal to 1."),
        ({"budget": "-1"}, "Ensure this value is greater than or equal to 0.001."),
        ({"language": "xx-yy"}, "It can't be told from others"),
        ({"sources": ["mastodon"]}, "larks lists no accounts at mastodon"),
        ({"sources": ["telegram"]}, "Select a valid choice."),
        ({"task": "steal"}, "Select a valid choice."),
    ],
)
def test_what_is_wrong_with_a_run_is_said_and_nothing_is_left_behind(moderator: Client, form: dict[str, Any], said: str) -> None:
    response = moderator.post("/scraping/", BLUESKY | {"category": "Larks"} | form)
    assert said in words_of(response).replace("&#x27;", "'")
    assert form.get("handles", "bluesky:ada.bsky.social") in response.content.decode()
    assert (ScrapeRun.objects.count(), Feed.objects.count(), Category.objects.count()) == (0, 0, 0)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, f"{X} Or choose the others under “Only from”."),
        ({"handles": "twint:ada\nbluesky:bea.example.org", "sources": ["bluesky", "twint"]}, f"{TWINT} Or choose"),
        ({"sources": ["x"]}, X),
        ({"category": "owls", "handles": ""}, X),
    ],
)
def test_what_is_not_set_up_is_said_before_a_run_fails_of_it(
    moderator: Client, category: Category, nothing_set_up: None, form: dict[str, Any], said: str
) -> None:
    make_feed(category, "x:cyd")
    make_feed(category, "bluesky:cyd.example.org")
    make_feed(Category.objects.create(slug="owls", name="Owls"), "x:cyd")
    assert said in words_of(moderator.post("/scraping/", BLUESKY | form)).replace("&#x27;", "'")
    assert (ScrapeRun.objects.count(), Feed.objects.count()) == (0, 3)


@pytest.mark.parametrize("form", [{"sources": ["bluesky"], "handles": "x:ada"}, {"task": "check", "category": "owls", "handles": ""}])
def test_what_is_not_set_up_is_in_nobodys_way(moderator: Client, category: Category, nothing_set_up: None, form: dict[str, Any]) -> None:
    make_feed(category, "x:cyd")
    make_feed(category, "bluesky:cyd.example.org")
    make_feed(Category.objects.create(slug="owls", name="Owls"), "twint:cyd")
    moderator.post("/scraping/", BLUESKY | form)
    assert ScrapeRun.objects.count() == 1


@pytest.mark.parametrize(("typed", "name"), [("my-owls", "My Owls"), ("my owls", "my owls"), ("My-owls", "My-owls")])
def test_a_name_typed_like_a_slug_becomes_a_title(moderator: Client, typed: str, name: str) -> None:
    moderator.post("/scraping/", BLUESKY | {"category": typed})
    made = Category.objects.get()
    assert (made.slug, made.name) == ("my-owls", name)


def test_categories_that_are_there_are_suggested(moderator: Client, category: Category) -> None:
    page = moderator.get("/scraping/").content.decode()
    assert re.search(r'<datalist id="categories-there"><option value="birds">Birds</option></datalist>', page)
    field = re.search(r'<input[^>]* name="category"[^>]*>', page)
    assert field is not None
    assert 'list="categories-there"' in field[0]
    assert 'autocomplete="off"' not in field[0]


def test_what_is_wrong_with_a_field_is_said_once_and_belongs_to_it(moderator: Client) -> None:
    page = moderator.post("/scraping/", BLUESKY | {"handles": "nobody"}).content.decode()
    assert page.count("names no source") == 1
    assert page.count('id="id_handles_error"') == 1
    assert 'aria-describedby="id_handles_helptext id_handles_error"' in page


def test_a_second_run_that_would_wait_says_so(moderator: Client, feed: Feed) -> None:
    run = make_run(feed.category)
    assert f"scrape {run.pk} of birds is waiting already: wait for it, or cancel it." in words_of(moderator.post("/scraping/", BLUESKY))


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
    assert moderator.get(f"/scraping/?from={'9' * 5000}").status_code == 200
