"""A real scraping worker and a real clock: due scrapes started, a killed worker's run taken over, cancelled ones ended."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.fakes.bluesky import BlueskyFake
from tests.fakes.server import Trouble
from tests.fakes.world import World
from tests.stack import Stack, wait_for

SETTINGS = {"SCRAPE_LEASE_SECONDS": "2", "SCRAPE_CHECK_SECONDS": "0.5"}
ASK = """
from django.utils import timezone
from game.pool.models import Category
from scraping.feeds import add_handles
from scraping.runs import set_schedule, start_run
category = Category.objects.create(slug={slug!r}, name="Scraped", active=False)
add_handles(category=category, text="ada.example.org")
{then}
"""
START = "print(start_run(category=category, by=None).pk)"
DAILY = "set_schedule(category=category, daily=True, now=timezone.now())"


@pytest.fixture
def fake() -> Iterator[BlueskyFake]:
    world = World()
    world.add("ada.example.org", posts=900)
    with BlueskyFake(world) as server:
        yield server


@pytest.fixture
def scraping(stack: Stack, fake: BlueskyFake) -> Iterator[Stack]:
    """Let the clock run fast, and a worker scrape our Bluesky."""
    stack.stop("beat")
    before = dict(stack.env)
    stack.env |= SETTINGS | {"SCRAPE_BLUESKY_URL": fake.url}
    stack.start_beat()
    stack.start_scraper()
    yield stack
    stack.stop("scraper")
    stack.stop("beat")
    stack.env.clear()
    stack.env |= before
    stack.start_beat()


def one(connection: psycopg.Connection[Any], query: str, *values: Any) -> Any:
    row = connection.execute(query, values).fetchone()
    return row[0] if row else None


STATE = "SELECT state FROM scraping_scraperun WHERE id = %s"
STORED = (
    "SELECT count(*) FROM scraping_rawpost p JOIN scraping_feed f ON f.id = p.feed_id JOIN pool_category c ON c.id = f.category_id"
    " WHERE c.slug = %s"
)


def test_a_run_that_is_asked_for_survives_the_death_of_its_worker(scraping: Stack, fake: BlueskyFake) -> None:
    fake.troubles.append(Trouble(path="AuthorFeed", skip=3, reply=lambda request: fake.too_many(300)))
    run = int(scraping.manage("shell", "--no-imports", "-c", ASK.format(slug="scraped-twice", then=START)))
    with scraping.connect() as connection:
        wait_for(lambda: sum("AuthorFeed" in path for path in fake.paths()) >= 4, what="the worker is in the middle")
        assert one(connection, STATE, run) == "running"
        before = one(connection, STORED, "scraped-twice")
        assert before > 0
        scraping.kill("scraper")
        scraping.start_scraper()
        wait_for(lambda: one(connection, STATE, run) == "done", what="another worker finished the run")
        person = fake.world.people["ada.example.org"]
        assert one(connection, STORED, "scraped-twice") == sum(post.reply_to is None for post in person.posts) > before


@pytest.fixture
def no_generation(stack: Stack) -> Iterator[None]:
    """Let nobody fill the pool: a worker that is busy with it must keep nobody from scraping."""
    stack.stop("worker")
    yield
    stack.start_worker()


def test_what_is_due_is_scraped_and_then_checked_however_busy_other_workers_are(
    scraping: Stack, fake: BlueskyFake, no_generation: None
) -> None:
    scraping.manage("shell", "--no-imports", "-c", ASK.format(slug="scraped-daily", then=DAILY))
    runs = (
        "SELECT array_agg(r.task || ' ' || r.state ORDER BY r.id) FROM scraping_scraperun r JOIN pool_category c ON c.id = r.category_id"
        " WHERE c.slug = 'scraped-daily'"
    )
    with scraping.connect() as connection:
        wait_for(lambda: one(connection, runs) == ["scrape done", "check done"], seconds=60, what="both runs are over")
        hours = one(
            connection,
            "SELECT extract(epoch FROM next_at - now()) / 3600 FROM scraping_schedule s JOIN pool_category c ON c.id = s.category_id"
            " WHERE c.slug = 'scraped-daily'",
        )
        assert 23 < hours < 24


def test_a_run_that_waits_for_a_source_ends_when_it_is_cancelled_and_goes_on_when_its_worker_is_told_to_stop(
    scraping: Stack, fake: BlueskyFake
) -> None:
    fake.troubles.append(Trouble(path="AuthorFeed", times=99, reply=lambda request: fake.too_many(300)))
    run = int(scraping.manage("shell", "--no-imports", "-c", ASK.format(slug="scraped-never", then=START)))
    with scraping.connect() as connection:
        wait_for(lambda: one(connection, STATE, run) == "running" and len(fake.requests) >= 2, what="it waits")
        scraping.stop("scraper")
        assert one(connection, STATE, run) == "waiting"
        scraping.start_scraper()
        wait_for(lambda: one(connection, STATE, run) == "running", what="it goes on")
        scraping.manage("shell", "--no-imports", "-c", f"from scraping.runs import cancel_run; cancel_run(run_id={run}, by=None)")
        wait_for(lambda: one(connection, STATE, run) == "cancelled", what="it is cancelled")
