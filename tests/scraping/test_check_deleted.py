"""Checks: what is deleted, private or closed at its source goes; what is merely out of reach stays."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from game.embedded import addresses
from game.pool.models import Category, ModerationEvent, Tweet
from scraping.feeds import add_handles
from scraping.models import Feed, OptOut, RawPost, ScrapeRun
from scraping.runs import cancel_run, start_run
from scraping.work import carry_out
from tests.fakes.bluesky import BlueskyFake, did, uri
from tests.fakes.server import Reply, Request, Trouble
from tests.fakes.world import World
from tests.scraping.checks import add_import, check, held, visits
from tests.scraping.conftest import sentence
from tests.stack import ROOT

pytestmark = pytest.mark.django_db(transaction=True)
ADA, BEA = "ada.example.org", "bea.example.org"
CHECK = ScrapeRun.Task.CHECK


@pytest.fixture
def world() -> World:
    world = World()
    world.add(ADA, posts=90)
    world.add(BEA, posts=40)
    return world


@pytest.fixture
def fake(world: World, settings) -> Iterator[BlueskyFake]:
    with BlueskyFake(world) as server:
        settings.SCRAPE_BLUESKY_URL = server.url
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scraping.manners.pause_before", lambda attempt, rng: 0.0)


@pytest.fixture
def isles(fake: BlueskyFake) -> Category:
    """A category with everything that both posted."""
    category = Category.objects.create(slug="isles", name="Isles")
    add_handles(category=category, text=f"{ADA}\n{BEA}")
    carry_out(run_id=start_run(category=category, by=None).pk)
    Tweet.objects.update(status="approved")
    return category


def delete(world: World, handle: str, count: int) -> list[str]:
    """Have a person delete their first posts that were kept, and return the ids."""
    person = world.people[handle]
    kept = set(RawPost.objects.filter(outcome="kept").values_list("source_id", flat=True))
    chosen = [post for post in person.posts if uri(person, post) in kept][:count]
    for post in chosen:
        post.deleted = True
    return [uri(person, post) for post in chosen]


def test_a_post_deleted_at_its_source_is_erased_and_the_rest_stays(isles: Category, world: World) -> None:
    ids, before, all_of_ada = delete(world, ADA, 3), Tweet.objects.filter(status="approved").count(), held(ADA)
    run = check(isles)
    assert (run.state, run.note) == ("done", "")
    assert visits(run) == {ADA: ("done", all_of_ada, 3, ""), BEA: ("done", held(BEA), 0, "")}
    gone = RawPost.objects.filter(outcome="gone")
    assert set(gone.values_list("source_id", "record", "tweet__text", "tweet__status")) == {(one, None, "", "withdrawn") for one in ids}
    assert Tweet.objects.filter(status="approved").count() == before - 3
    assert set(ModerationEvent.objects.values_list("by", "after", "reason")) == {(None, "withdrawn", "deleted at the source")}
    again = check(isles)
    assert visits(again)[ADA] == ("done", all_of_ada - 3, 0, "")


def test_a_dropped_post_that_is_deleted_is_forgotten_too(isles: Category, world: World) -> None:
    dropped = RawPost.objects.filter(outcome="LINK", feed__handle=ADA)[0]
    next(post for post in world.people[ADA].posts if uri(world.people[ADA], post) == dropped.source_id).deleted = True
    assert visits(check(isles))[ADA][2] == 1
    dropped.refresh_from_db()
    assert (dropped.outcome, dropped.record) == ("gone", None)


def test_a_post_in_two_categories_goes_from_both(isles: Category, world: World) -> None:
    other = Category.objects.create(slug="other", name="Other")
    add_handles(category=other, text=ADA)
    carry_out(run_id=start_run(category=other, by=None).pk)
    [gone] = delete(world, ADA, 1)
    check(isles)
    assert sorted(RawPost.objects.filter(source_id=gone).values_list("feed__category__slug", "outcome", "tweet__text")) == [
        ("isles", "gone", ""),
        ("other", "gone", ""),
    ]


def test_a_repetition_that_is_deleted_does_not_cost_the_other_its_words(isles: Category, world: World) -> None:
    (mine,) = RawPost.objects.filter(feed__handle=ADA, outcome="kept")[:1]
    person = world.people[BEA]
    theirs = person.posts[0]
    twin = RawPost.objects.get(source_id=uri(person, theirs))
    RawPost.objects.filter(pk=twin.pk).update(outcome="DUPLICATE", tweet=mine.tweet)
    theirs.deleted = True
    check(isles)
    twin.refresh_from_db()
    assert (twin.outcome, twin.tweet) == ("gone", None)
    assert Tweet.objects.get(raw_posts=mine).status == "approved"


@pytest.mark.parametrize(("state", "reason"), [("missing", "account closed at the source"), ("declined", "account asks not to be read")])
def test_everything_of_an_account_that_is_not_to_be_read_is_erased(isles: Category, world: World, state: str, reason: str) -> None:
    world.people[ADA].state = state
    everything, bea = held(ADA), held(BEA)
    run = check(isles)
    assert visits(run)[ADA] == ("done", everything, everything, reason)
    assert (held(ADA), held(BEA)) == (0, bea)
    assert not RawPost.objects.filter(feed__handle=ADA, record__isnull=False).exists()
    assert set(Tweet.objects.filter(author__handle=ADA).values_list("text", "status")) == {("", "withdrawn")}
    assert set(ModerationEvent.objects.values_list("reason", flat=True)) == {reason}
    feed = Feed.objects.get(handle=ADA)
    assert (feed.state, feed.note) == (state, reason)


def test_a_suspended_account_is_out_of_play_and_not_lost(isles: Category, world: World) -> None:
    world.people[ADA].state = "suspended"
    everything = held(ADA)
    kept = Tweet.objects.filter(author__handle=ADA).count()
    assert visits(check(isles))[ADA] == ("done", everything, kept, "account suspended at the source")
    assert set(Tweet.objects.filter(author__handle=ADA).values_list("status", flat=True)) == {"withdrawn"}
    assert not Tweet.objects.filter(author__handle=ADA, text="").exists()
    assert held(ADA) == everything
    assert visits(check(isles))[ADA][2] == 0


def test_a_change_of_handle_is_noted_and_costs_nothing(isles: Category, world: World) -> None:
    world.people[ADA].handle = "ada.elsewhere.org"
    everything = held(ADA)
    assert visits(check(isles))[ADA] == ("done", everything, 0, "is called ada.elsewhere.org now")
    assert Feed.objects.get(handle=ADA).note == "is called ada.elsewhere.org now"


DOWN = {
    "503": lambda request: Reply({"error": "Down"}, 503),
    "ban": lambda request: Reply({"error": "Forbidden"}, 403),
    "nonsense": lambda request: Reply(b"<html>"),
    "no list": lambda request: Reply({}),
}


@pytest.mark.parametrize("path", ["getPosts", "getProfile"])
@pytest.mark.parametrize("trouble", DOWN)
def test_an_outage_or_a_ban_erases_nothing(isles: Category, world: World, fake: BlueskyFake, trouble: str, path: str) -> None:
    delete(world, ADA, 2)
    fake.troubles.append(Trouble(path=path, times=10_000, reply=DOWN[trouble]))
    run = check(isles)
    assert run.state == "failed"
    assert {state for state, _, _, _ in visits(run).values()} == {"stopped"}
    assert not RawPost.objects.filter(outcome="gone").exists()
    assert not ModerationEvent.objects.exists()


def test_one_answer_that_lacks_everything_erases_nothing(isles: Category, fake: BlueskyFake) -> None:
    fake.troubles.append(Trouble(path="getPosts", times=1, reply=lambda request: Reply({"posts": []})))
    assert {gone for _, _, gone, _ in visits(check(isles)).values()} == {0}
    assert not RawPost.objects.filter(outcome="gone").exists()


def test_killed_again_and_again_it_comes_to_the_same(
    isles: Category, world: World, fake: BlueskyFake, servers: Path, tmp_path: Path
) -> None:
    ids = set(delete(world, ADA, 20)) | set(delete(world, BEA, 5))
    asked = held(ADA) + held(BEA)
    url = addresses.database_url(servers, connection.settings_dict["NAME"])
    env = os.environ | {"DATABASE_URL": url, "SCRAPE_BLUESKY_URL": fake.url, "VAR": str(tmp_path)}
    ends = []
    for skip in (1, 3, None):
        command = [sys.executable, str(ROOT / "manage.py"), "check_deleted", "isles"]
        process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def kill(request: Request, process: subprocess.Popen[bytes] = process) -> Reply:
            process.kill()
            return fake.answer(request)

        fake.troubles[:] = [Trouble(path="getPosts", skip=skip, reply=kill)] if skip else []
        ends.append(process.wait(60))
    assert ends == [-9, -9, 0]
    run = ScrapeRun.objects.get(task=CHECK)
    assert run.state == "done"
    assert sum(visit.posts for visit in run.visits.all()) == asked
    assert set(RawPost.objects.filter(outcome="gone").values_list("source_id", flat=True)) == ids


def test_a_cancelled_check_stops_where_it_is(isles: Category, fake: BlueskyFake) -> None:
    run = start_run(category=isles, by=None, task=CHECK)

    def cancel(request: Request) -> Reply:
        cancel_run(run_id=run.pk, by=None)
        return fake.answer(request)

    fake.troubles.append(Trouble(path="getPosts", reply=cancel))
    fake.troubles.append(Trouble(path="getPosts", times=10_000, reply=lambda request: fake.too_many(2)))
    done = carry_out(run_id=run.pk)
    assert done
    assert (done.state, done.error) == ("cancelled", "cancelled")


def test_those_not_seen_for_longest_are_asked_first(isles: Category, fake: BlueskyFake) -> None:
    (old,) = RawPost.objects.filter(feed__handle=BEA, outcome="kept").order_by("?")[:1]
    RawPost.objects.filter(pk=old.pk).update(checked_at=timezone.now() - timedelta(days=9))
    asked = len(fake.requests)
    check(isles)
    first = next(request for request in fake.requests[asked:] if "getPosts" in request.path and old.source_id in request.all["uris"])
    assert first.all["uris"][0] == old.source_id


# --- what came from files


def test_imported_tweets_are_checked_like_scraped_ones(isles: Category, world: World) -> None:
    cyd = world.add("cyd.example.org", posts=4)
    there, deleted, unknown = cyd.posts[0], cyd.posts[1], None
    deleted.deleted = True
    tweets = [add_import(isles, n, uri(cyd, post) if post else "") for n, post in enumerate((there, deleted, unknown), 1)]
    run = check(isles)
    assert visits(run)["cyd.example.org"] == ("done", 2, 1, "")
    texts = dict(Tweet.objects.filter(pk__in=[tweet.pk for tweet in tweets]).values_list("pk", "text"))
    assert [texts[tweet.pk] for tweet in tweets] == [sentence(1), "", sentence(3)]
    feed = Feed.objects.get(handle="cyd.example.org")
    assert (feed.listed, feed.by_hand, feed.passes) == (False, False, 0)
    assert visits(check(isles))["cyd.example.org"] == ("done", 1, 0, "")


def test_a_scraped_post_that_was_imported_first_takes_the_imported_tweet_along(isles: Category, world: World) -> None:
    ada = world.people[ADA]
    post = RawPost.objects.filter(feed__handle=ADA, outcome="kept")[0]
    tweet = Tweet.objects.get(raw_posts=post)
    # The import was first: the scrape found its words in the pool.
    RawPost.objects.filter(pk=post.pk).update(outcome="DUPLICATE")
    next(one for one in ada.posts if uri(ada, one) == post.source_id).deleted = True
    check(isles)
    tweet.refresh_from_db()
    assert tweet.text == ""


def test_what_cannot_be_asked_about_is_said(isles: Category, settings) -> None:
    settings.X_BEARER_TOKEN = ""
    add_import(isles, 1, "17", platform="twitter", handle="ada_owl")
    run = check(isles)
    assert run.state == "done"
    assert run.note.startswith("1 imported tweet of twitter could not be checked: X is read with the token of an app: set X_BEARER_TOKEN")
    assert not Feed.objects.filter(source="x").exists()
    assert not Tweet.objects.filter(text="").exists()


# --- what is kept for how long


def test_raw_posts_are_pruned_when_they_were_kept_long_enough(isles: Category, settings) -> None:
    count = RawPost.objects.exclude(record=None).count()
    old = RawPost.objects.filter(feed__handle=BEA, outcome="kept")[0]
    RawPost.objects.filter(pk=old.pk).update(fetched_at=timezone.now() - timedelta(days=181))
    assert check(isles).note == "1 raw post was pruned: kept long enough."
    assert RawPost.objects.exclude(record=None).count() == count - 1
    old.refresh_from_db()
    assert (old.record, old.outcome) == (None, "kept")
    assert Tweet.objects.get(raw_posts=old).text
    settings.SCRAPE_KEEP_RAW = False
    check(isles)
    assert not RawPost.objects.exclude(record=None).exists()


def test_an_opt_out_that_was_interrupted_is_completed(isles: Category) -> None:
    OptOut.objects.create(platform="bluesky", handle=ADA)
    run = check(isles)
    assert ADA not in visits(run)
    assert set(Tweet.objects.filter(author__handle=ADA).values_list("text", flat=True)) == {""}
    assert held(ADA) == 0


def test_what_was_not_asked_about_for_too_long_is_told(isles: Category, fake: BlueskyFake, world: World) -> None:
    RawPost.objects.filter(feed__handle=BEA).update(checked_at=timezone.now() - timedelta(days=2))
    late = held(BEA)
    fake.troubles.append(
        Trouble(
            path="getPosts",
            times=10_000,
            reply=lambda request: Reply({}, 503),
            when=lambda request: did(world.people[BEA]) in request.query["uris"],
        )
    )
    assert check(isles).note.splitlines() == [
        "1 of 2 accounts could not be checked to their end.",
        f"{late} posts of bluesky were not seen at the source for more than 1 day.",
    ]


# --- the command


def test_the_command_says_what_it_found(isles: Category, world: World) -> None:
    delete(world, ADA, 2)
    out = StringIO()
    call_command("check_deleted", "isles", stdout=out, stderr=StringIO())
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.getvalue().splitlines() if line.startswith("│")]
    total = RawPost.objects.count()
    assert rows[-1] == ["all", "", str(total), "2"]
    assert rows[0][:2] == [f"bluesky:{ADA}", "done"]


def test_without_a_category_all_are_checked(isles: Category, world: World) -> None:
    barn = Category.objects.create(slug="barn", name="Barn")
    out = StringIO()
    call_command("check_deleted", stdout=out, stderr=StringIO())
    assert set(ScrapeRun.objects.filter(task=CHECK).values_list("category", "state")) == {(isles.pk, "done"), (barn.pk, "done")}
    assert out.getvalue().splitlines()[:3] == ["barn:", "There was nothing to ask about.", "isles:"]
    with pytest.raises(CommandError, match=r"'owls' is no category\. There are: barn, isles\."):
        call_command("check_deleted", "owls")


def test_a_check_that_comes_to_nothing_is_an_error(isles: Category, fake: BlueskyFake) -> None:
    fake.troubles.append(Trouble(times=10_000, reply=lambda request: Reply({}, 503)))
    out = StringIO()
    with pytest.raises(CommandError, match=r"bluesky is out of order \(503\)"):
        call_command("check_deleted", "isles", stdout=out, stderr=StringIO())
    assert "┃" not in out.getvalue()
    assert Decimal(0) == ScrapeRun.objects.filter(task=CHECK).get().spent
