import re

import pytest
from django.test import Client
from django.utils import timezone

from game.pool.models import Category, Kind, Status, Tweet
from game.pool.services import NewTweet, add_tweets, get_author
from scraping.models import Feed, OptOut, RawPost, Schedule
from tests.scraping.pages import make_feed, make_post, words_of


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
