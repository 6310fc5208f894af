"""Runs at work, against a Bluesky of our own."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from game.pool.models import Category, Tweet
from scraping import runs
from scraping.feeds import add_handles
from scraping.models import Feed, RawPost, ScrapeRun, SourceStatus, Visit
from scraping.optouts import opt_out
from scraping.runs import ScrapeError, claim_run, start_run
from scraping.work import carry_out
from tests.fakes.bluesky import BlueskyFake, own_openers, uri
from tests.fakes.server import Reply, Request, Trouble
from tests.fakes.world import World
from tests.scraping.scraped import everything

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = {"ada.example.org": 230, "bea.example.org": 120, "cyd.example.org": 0}


@pytest.fixture
def world() -> World:
    world = World()
    for handle, posts in PEOPLE.items():
        world.add(handle, posts=posts)
    return world


@pytest.fixture
def fake(world: World, settings) -> Iterator[BlueskyFake]:
    with BlueskyFake(world) as server:
        settings.SCRAPE_BLUESKY_URL = server.url
        yield server


@pytest.fixture
def category(fake: BlueskyFake, request) -> Category:
    category = Category.objects.create(slug="isles", name="Isles")
    add_handles(category=category, text="\n".join(PEOPLE))
    return category


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for milliseconds where a person's server is given seconds."""
    monkeypatch.setattr("scraping.manners.pause_before", lambda attempt, rng: 0.01)


def scrape(category: Category, **asked) -> ScrapeRun:
    run = start_run(category=category, by=None, **asked)
    done = carry_out(run_id=run.pk)
    assert done is not None
    return done


def visits(run: ScrapeRun) -> dict[str, tuple[str, str]]:
    return {visit.feed.handle: (visit.state, visit.note) for visit in Visit.objects.filter(run=run).select_related("feed")}


def test_everything_that_opens_a_conversation_becomes_a_tweet(category, world) -> None:
    run = scrape(category)
    assert (run.state, run.error, run.note) == ("done", "", "")
    assert visits(run) == dict.fromkeys(PEOPLE, ("done", ""))
    openers = {uri(person, post): post for person in world.people.values() for post in own_openers(person)}
    kept = RawPost.objects.filter(outcome="kept")
    assert set(kept.values_list("source_id", flat=True)) == {key for key, post in openers.items() if "https://" not in post.text}
    assert set(RawPost.objects.exclude(outcome="kept").values_list("outcome", flat=True)) == {"LINK", "RETWEET"}
    assert Tweet.objects.filter(category=category, status="pending").count() == kept.count() == sum(v.kept for v in run.visits.all())
    assert dict(Feed.objects.values_list("handle", "passes")) == dict.fromkeys(PEOPLE, 1)


def test_the_next_run_fetches_only_what_is_new(category, world, fake) -> None:
    scrape(category)
    new = world.post("ada.example.org")
    asked = len(fake.requests)
    run = scrape(category)
    assert run.visits.get(feed__handle="ada.example.org").new == 1
    assert RawPost.objects.get(source_id=uri(world.people["ada.example.org"], new)).in_pass == 1
    assert [path for path in fake.paths()[asked:] if "AuthorFeed" in path] == ["/xrpc/app.bsky.feed.getAuthorFeed"] * 3


TROUBLES = {
    "429": lambda fake: Trouble(path="AuthorFeed", skip=1, reply=lambda request: fake.too_many(1)),
    "503": lambda fake: Trouble(path="AuthorFeed", skip=2, times=3, reply=lambda request: Reply({"error": "Down"}, 503)),
    "cut": lambda fake: Trouble(path="AuthorFeed", skip=1, times=2, cut=True),
    "slow": lambda fake: Trouble(path="AuthorFeed", times=4, slow=True),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_disturbed_run_comes_to_what_an_undisturbed_one_does(category, fake, trouble) -> None:
    fake.troubles.append(TROUBLES[trouble](fake))
    disturbed = scrape(category)
    assert (disturbed.state, disturbed.note) == ("done", "")
    left = everything(category)
    other = Category.objects.create(slug="other", name="Other")
    add_handles(category=other, text="\n".join(PEOPLE))
    scrape(other)
    assert left == everything(other)


class Narrow(BlueskyFake):
    """A Bluesky that answers two requests a second, and counts those that it had to refuse."""

    refused = window = 0

    def answer(self, request: Request) -> Reply:
        if self.window < (now := int(self.now())):
            self.window, self.remaining = now, 2
        if self.remaining < 1:
            self.refused += 1
            return self.too_many(1)
        return super().answer(request)

    def limits(self, remaining: int, seconds: float) -> dict[str, str]:
        return super().limits(remaining, seconds) | {"RateLimit-Reset": str(self.window + 1), "RateLimit-Limit": "2"}


def test_a_source_whose_limit_is_used_up_is_not_asked_until_it_has_more(world, settings) -> None:
    with Narrow(world) as narrow:
        settings.SCRAPE_BLUESKY_URL = narrow.url
        alone = Category.objects.create(slug="alone", name="Alone")
        add_handles(category=alone, text="ada.example.org")
        run = scrape(alone)
        assert (run.state, narrow.refused) == ("done", 0)
        assert len(narrow.requests) >= 4
    status = SourceStatus.objects.get(pk="bluesky")
    assert (status.limit, status.remaining) in {(2, 0), (2, 1)}


def test_accounts_that_can_not_be_read_are_recorded_and_no_error(category, world) -> None:
    world.people["bea.example.org"].state = "suspended"
    world.people["cyd.example.org"].state = "declined"
    add_handles(category=category, text="bluesky:nobody.example.org")
    run = scrape(category)
    assert run.state == "done"
    assert visits(run) == {
        "ada.example.org": ("done", ""),
        "bea.example.org": ("skipped", "suspended"),
        "cyd.example.org": ("skipped", "declined"),
        "nobody.example.org": ("skipped", "missing"),
    }
    assert dict(Feed.objects.exclude(state="open").values_list("handle", "state")) == {
        "bea.example.org": "suspended",
        "cyd.example.org": "declined",
        "nobody.example.org": "missing",
    }


def test_a_ban_stops_the_source_and_the_next_run_leaves_it_alone(category, fake) -> None:
    fake.troubles.append(Trouble(path="AuthorFeed", skip=2, times=99, reply=lambda request: Reply({"error": "Forbidden"}, 403)))
    run = scrape(category)
    assert run.state == "done"
    assert {state for state, _ in visits(run).values()} >= {"stopped"}
    assert run.note.endswith(" of 3 accounts stopped before the end.")
    status = SourceStatus.objects.get(pk="bluesky")
    assert status.reason == "bluesky refuses us (403 Forbidden)"
    asked = len(fake.requests)
    again = scrape(category)
    assert (again.state, len(fake.requests)) == ("failed", asked)
    assert again.error.startswith("bluesky is left alone until ")
    assert again.error.endswith(" UTC: bluesky refuses us (403 Forbidden)")
    runs.forget_ban(name="bluesky")
    fake.troubles.clear()
    assert scrape(category).state == "done"
    left = everything(category)
    assert {handle for handle, *_ in left["posts"]} == {"ada.example.org", "bea.example.org"}


def test_a_circle_of_cursors_ends(category, fake, world) -> None:
    def turn_back(request) -> Reply:
        reply = BlueskyFake.answer(fake, request)
        reply.body["cursor"] = "100"
        return reply

    fake.troubles.append(Trouble(path="AuthorFeed", times=99, when=lambda request: "ada" in str(request.query) or True, reply=turn_back))
    run = scrape(category)
    assert run.visits.get(feed__handle="ada.example.org").note == "its pages went in a circle"
    assert len(fake.requests) < 12


def test_the_same_post_on_two_pages_is_stored_once(category, world, fake) -> None:
    scrape(category, cap=100)
    # Two posts more, and the pages move by two.
    world.post("ada.example.org")
    world.post("ada.example.org")
    run = scrape(category)
    ids = list(RawPost.objects.filter(feed__handle="ada.example.org").values_list("source_id", flat=True))
    assert len(ids) == len(set(ids))
    assert run.visits.get(feed__handle="ada.example.org").state == "done"


def test_a_cap_stops_an_account_and_the_next_run_goes_on_there(category, world) -> None:
    run = scrape(category, cap=100)
    assert visits(run)["ada.example.org"] == ("stopped", "100 posts, as many as this run may take: goes on next time")
    assert Feed.objects.get(handle="ada.example.org").passing
    scrape(category)
    person = world.people["ada.example.org"]
    stored = RawPost.objects.filter(feed__handle="ada.example.org").count()
    assert stored == sum(post.reply_to is None for post in person.posts)


def test_who_opted_out_is_not_fetched(category, fake) -> None:
    opt_out(platform="bluesky", handle="ada.example.org", by=None)
    Feed.objects.update(listed=True)
    run = scrape(category)
    assert visits(run)["ada.example.org"] == ("skipped", "opted out")
    assert not RawPost.objects.filter(feed__handle="ada.example.org").exists()


def test_a_run_without_accounts_is_refused(db) -> None:
    empty = Category.objects.create(slug="empty", name="Empty")
    with pytest.raises(ScrapeError, match="empty lists no accounts: add handles"):
        start_run(category=empty, by=None)


def test_one_run_of_a_category_at_a_time(category) -> None:
    first = start_run(category=category, by=None)
    claim = claim_run(run_id=first.pk)
    assert claim is not None
    second = start_run(category=category, by=None)
    assert claim_run(run_id=second.pk) is None
    with claim:
        claim.finish("done")
    again = claim_run(run_id=second.pk)
    assert again is not None
    with again:
        again.finish("done")


def test_a_cancelled_run_ends(category, fake) -> None:
    run = start_run(category=category, by=None)
    fake.troubles.append(Trouble(path="AuthorFeed", reply=lambda request: fake.too_many(600)))

    def cancel(run, visits, line) -> None:
        if "waiting" in line:
            runs.cancel_run(run_id=run.pk, by=None)

    done = carry_out(run_id=run.pk, tell=cancel)
    assert done is not None
    assert (done.state, done.error) == ("cancelled", "cancelled")


def test_a_run_that_is_told_to_stop_waits_for_the_next_process(category, fake) -> None:
    run = start_run(category=category, by=None)
    fake.troubles.append(Trouble(path="AuthorFeed", skip=1, reply=lambda request: fake.too_many(600)))
    stopping: list[bool] = []
    done = carry_out(
        run_id=run.pk, tell=lambda run, visits, line: stopping.append(True) if line else None, should_stop=lambda: bool(stopping)
    )
    assert done is not None
    assert done.state == "waiting"
    assert runs.take_back_abandoned() == [run.pk]
    finished = carry_out(run_id=run.pk)
    assert finished is not None
    assert finished.state == "done"
    assert visits(run) == dict.fromkeys(PEOPLE, ("done", ""))


def test_what_a_schedule_has_due_is_started_once_a_day(category) -> None:
    now = timezone.now()
    runs.set_schedule(category=category, daily=True, now=now - timedelta(days=2, hours=1))
    assert runs.start_due(now=now) == []
    assert sorted(ScrapeRun.objects.values_list("task", "state")) == [("check", "waiting"), ("scrape", "waiting")]
    assert runs.start_due(now=now) == []
    category.schedule.refresh_from_db()
    assert timedelta() < category.schedule.next_at - now < timedelta(days=1)
    ScrapeRun.objects.update(state="done", finished_at=now)
    assert runs.start_due(now=now + timedelta(days=1)) == []
    assert ScrapeRun.objects.filter(state="waiting").count() == 2


def test_money_is_not_spent_without_a_budget(category) -> None:
    add_handles(category=category, text="x:ada_isles")
    with pytest.raises(ScrapeError, match="x costs money by the post"):
        start_run(category=category, by=None)
    assert start_run(category=category, by=None, sources=["bluesky"]).sources == ["bluesky"]
    with pytest.raises(ScrapeError, match="x costs money"):
        runs.set_schedule(category=category, daily=True, now=timezone.now())
    runs.set_schedule(category=category, daily=True, budget=Decimal(3), now=timezone.now())


def test_no_other_server_could_be_reached_from_here(category, settings) -> None:
    settings.SCRAPE_BLUESKY_URL = "https://public.api.bsky.app"
    run = start_run(category=category, by=None)
    with pytest.raises(AssertionError, match=r"looked up public\.api\.bsky\.app"):
        carry_out(run_id=run.pk)


def test_a_cap_and_a_page_that_is_asked_for_agree(category, fake) -> None:
    run = scrape(category, cap=10)
    assert {visit.posts for visit in run.visits.exclude(feed__handle="cyd.example.org")} == {10}
    assert visits(run)["ada.example.org"] == ("stopped", "10 posts, as many as this run may take: goes on next time")
    left = everything(category)
    assert len(left["posts"]) == 20
    scrape(category)
    other = Category.objects.create(slug="other", name="Other")
    add_handles(category=other, text="\n".join(PEOPLE))
    scrape(other)
    assert everything(category)["posts"] == everything(other)["posts"]


class Counting(BlueskyFake):
    """A Bluesky that counts on below zero, as some servers do, and never refuses."""

    asked_at_zero = 0

    def answer(self, request: Request) -> Reply:
        self.asked_at_zero += self.remaining <= 0 and self.now() < self.full_at
        if self.now() >= self.full_at:
            self.remaining, self.full_at = 30, self.now() + 1
        return super().answer(request)

    full_at = 0.0

    def limits(self, remaining: int, seconds: float) -> dict[str, str]:
        return super().limits(remaining, seconds) | {"RateLimit-Reset": str(int(self.full_at) + 1)}


def test_accounts_that_are_gone_do_not_hide_that_a_limit_is_used_up(world, settings) -> None:
    with Counting(world) as counting:
        settings.SCRAPE_BLUESKY_URL = counting.url
        gone = Category.objects.create(slug="gone", name="Gone")
        add_handles(category=gone, text="\n".join(f"nobody{number}.example.org" for number in range(40)))
        run = scrape(gone)
        assert (run.state, set(visits(run).values())) == ("done", {("skipped", "missing")})
        assert counting.asked_at_zero == 0


def test_a_server_that_counts_below_zero_breaks_nothing(category, fake) -> None:
    fake.limits = lambda remaining, seconds: {"RateLimit-Limit": "9", "RateLimit-Remaining": "-3", "RateLimit-Reset": str(int(fake.now()))}
    run = scrape(category)
    assert (run.state, run.error) == ("done", "")
    assert SourceStatus.objects.get(pk="bluesky").remaining == 0


def test_a_command_goes_on_with_its_own_run_and_no_worker_does(category) -> None:
    run = start_run(category=category, by=None, here=True)
    ScrapeRun.objects.update(state="running")
    assert runs.take_back_abandoned() == []
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "its process ended; what is done is kept, and the same command goes on there")


def test_a_command_that_finds_another_run_at_work_leaves_none_behind(category) -> None:
    first = start_run(category=category, by=None)
    claim = claim_run(run_id=first.pk)
    assert claim is not None
    with claim, pytest.raises(ScrapeError, match=f"scrape {first.pk} of isles is at work: wait for it, or cancel it"):
        start_run(category=category, by=None, here=True)
    assert ScrapeRun.objects.count() == 1
