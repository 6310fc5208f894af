"""X and Mastodon in one run: what is paid, what is stored, and what is asked for the second time."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
import trustme

from game.pool.models import Category
from scraping.feeds import add_handles
from scraping.models import RawPost, ScrapeRun, SourceStatus, Visit
from scraping.runs import start_run
from scraping.work import carry_out
from tests.fakes import mastodon, x_api
from tests.fakes.proxies import ConnectProxy
from tests.fakes.server import Reply, Trouble
from tests.fakes.tls import secure
from tests.fakes.world import World

pytestmark = pytest.mark.django_db(transaction=True)
ADA, BEA, CYD = "ada_of_isles", "bea_of_isles", f"cyd@{mastodon.HOST}"


@pytest.fixture
def world() -> World:
    world = World()
    world.add(ADA, posts=230)
    world.add(BEA, posts=20, state="protected")
    world.add(CYD, posts=90)
    return world


@pytest.fixture
def x(world: World, settings) -> Iterator[x_api.XFake]:
    with x_api.XFake(world) as server:
        settings.SCRAPE_X_URL, settings.X_BEARER_TOKEN = server.url, x_api.TOKEN
        yield server


@pytest.fixture
def instance(world: World, settings) -> Iterator[mastodon.MastodonFake]:
    with mastodon.MastodonFake(world) as server:
        settings.SCRAPE_MASTODON_URL = server.url
        yield server


@pytest.fixture
def category(x, instance) -> Category:
    category = Category.objects.create(slug="isles", name="Isles")
    add_handles(category=category, text=f"x:{ADA}\nx:{BEA}\n{CYD}")
    return category


def scrape(category: Category, budget: Decimal) -> ScrapeRun:
    done = carry_out(run_id=start_run(category=category, by=None, budget=budget).pk)
    assert done is not None
    done.refresh_from_db()
    return done


def ended(run: ScrapeRun) -> dict[str, tuple[str, str]]:
    return {visit.feed.handle: (visit.state, visit.note) for visit in Visit.objects.filter(run=run).select_related("feed")}


def stored(handle: str) -> set[str]:
    return set(RawPost.objects.filter(feed__handle=handle).values_list("source_id", flat=True))


def test_a_run_stores_what_both_sources_have_and_pays_for_one(category, world, instance) -> None:
    run = scrape(category, Decimal(5))
    assert (run.state, run.error, run.note) == ("done", "", "")
    assert ended(run) == {ADA: ("done", ""), BEA: ("skipped", "protected"), CYD: ("done", "")}
    theirs = x_api.own_openers(world.people[ADA])
    assert stored(ADA) == {str(post.key) for post in theirs}
    assert run.spent == Decimal("0.020") + len(theirs) * Decimal("0.005")
    statuses = [post for post in world.people[CYD].posts if not post.repost]
    assert stored(CYD) == {f"127.0.0.1:{instance.port}/{mastodon.status_id(post)}" for post in statuses}
    replies = sum(post.reply_to is not None for post in statuses)
    links = sum("https://" in post.text and post.reply_to is None for post in statuses)
    outcomes = RawPost.objects.filter(feed__handle=CYD).exclude(outcome="kept").values_list("outcome", flat=True)
    assert sorted(outcomes) == ["LINK"] * links + ["REPLY"] * replies
    assert (links, replies) == (4, 8)
    assert set(SourceStatus.objects.values_list("name", "limit")) == {("x", 900), ("mastodon", 300)}


def test_the_next_run_pays_for_what_is_new_and_nothing_else(category, world, x, instance) -> None:
    scrape(category, Decimal(5))
    new, status = world.post(ADA), world.post(CYD)
    before = stored(ADA), stored(CYD)
    run = scrape(category, Decimal(5))
    # The protected account is asked about once more: somebody may have opened it.
    assert run.spent == Decimal("0.015")
    assert stored(ADA) - before[0] == {str(new.key)}
    assert stored(CYD) - before[1] == {f"127.0.0.1:{instance.port}/{mastodon.status_id(status)}"}


def test_a_budget_ends_x_and_leaves_mastodon_alone(category, world) -> None:
    run = scrape(category, Decimal("0.60"))
    assert run.spent <= Decimal("0.60")
    assert ended(run)[ADA][0] == "stopped"
    assert "budget" in ended(run)[ADA][1]
    assert ended(run)[CYD] == ("done", "")


def test_a_token_that_x_refuses_ends_x_and_leaves_mastodon_alone(category, x, settings) -> None:
    settings.X_BEARER_TOKEN = "of-yesterday"
    run = scrape(category, Decimal(5))
    words = "X refuses the token (401): set X_BEARER_TOKEN to the app's present one, from https://console.x.com."
    assert ended(run)[ADA] == ("stopped", words)
    assert ended(run)[CYD] == ("done", "")
    assert x.paths() == ["/2/users/by"]
    assert run.spent == 0


def test_troubles_on_both_ways_change_nothing_that_is_stored(category, world, x, instance, monkeypatch) -> None:
    monkeypatch.setattr("scraping.manners.pause_before", lambda attempt, rng: 0.01)
    x.troubles += [
        Trouble(path="/tweets", cut=True),
        Trouble(path="/tweets", skip=1, reply=lambda request: x.too_many(1)),
        Trouble(path="/tweets", reply=lambda request: Reply(b"<html>Over capacity</html>", 503)),
    ]
    instance.troubles += [
        Trouble(path="/statuses", slow=True),
        Trouble(path="/statuses", skip=1, reply=lambda request: instance.too_many(1)),
        Trouble(path="/statuses", cut=True),
    ]
    run = scrape(category, Decimal(5))
    theirs = x_api.own_openers(world.people[ADA])
    assert stored(ADA) == {str(post.key) for post in theirs}
    assert len(stored(CYD)) == sum(not post.repost for post in world.people[CYD].posts)
    assert not any(trouble.times for trouble in [*x.troubles, *instance.troubles])
    # An answer that was cut cost X something, and so us: it was not read, so it is not counted.
    assert run.spent == Decimal("0.020") + len(theirs) * Decimal("0.005")


def test_one_server_that_is_down_keeps_nobody_from_the_others(world, settings, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("scraping.manners.pause_before", lambda attempt, rng: 0.01)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    world.add("dot@bees.example", posts=10)
    category = Category.objects.create(slug="isles", name="Isles")
    add_handles(category=category, text=f"{CYD}\ndot@bees.example")
    down = Trouble(times=100, reply=lambda request: Reply(b"", 503), when=lambda request: request.headers["Host"] == mastodon.HOST)
    fediverse = mastodon.MastodonFake(world)
    secure(fediverse, authority, mastodon.HOST, "bees.example")
    with fediverse, ConnectProxy(fediverse.port) as proxy:
        fediverse.troubles.append(down)
        settings.SCRAPE_PROXIES = [proxy.address()]
        run = scrape(category, Decimal(0))
        assert ended(run) == {CYD: ("stopped", f"{mastodon.HOST} is out of order (503)"), "dot@bees.example": ("done", "")}
        down.times = 0
        assert ended(scrape(category, Decimal(0))) == {CYD: ("done", ""), "dot@bees.example": ("done", "")}
    assert len(stored(CYD)) == sum(not post.repost for post in world.people[CYD].posts)
