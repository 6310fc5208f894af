"""`manage.py scrape` as somebody runs it, interrupts it, kills it, and runs it again."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from django.db import connection

from game.embedded import addresses
from game.pool.models import Category
from scraping.feeds import add_handles
from scraping.models import Feed, RawPost, ScrapeRun
from tests.fakes.bluesky import BlueskyFake
from tests.fakes.server import Reply, Trouble
from tests.fakes.world import World
from tests.scraping.scraped import everything
from tests.stack import ROOT, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fake() -> Iterator[BlueskyFake]:
    world = World()
    world.add("ada.example.org", posts=4_100)
    world.add("bea.example.org", posts=300)
    with BlueskyFake(world) as server:
        yield server


@pytest.fixture
def start(fake: BlueskyFake) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `manage.py scrape` on the test's database and its Bluesky."""
    name = connection.settings_dict["NAME"]
    env = os.environ | {
        "DATABASE_URL": addresses.database_url(Path(os.environ["VAR"]), name),
        "SCRAPE_BLUESKY_URL": fake.url,
        "COLUMNS": "120",
    }
    children = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(ROOT / "manage.py"), "scrape", *arguments]
        child = subprocess.Popen(command, env=env, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        children.append(child)
        return child

    yield run
    for child in children:
        child.kill()
        child.communicate()


def pages_read(fake: BlueskyFake) -> int:
    return sum("AuthorFeed" in path for path in fake.paths())


def has_read(fake: BlueskyFake, pages: int) -> bool:
    return pages_read(fake) >= pages


def test_a_category_comes_from_one_command(start, fake) -> None:
    child = start("astronauts", "--handle", "bluesky:bea.example.org", "--handle", "https://bsky.app/profile/nobody.example.org")
    out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, "")
    category = Category.objects.get(slug="astronauts")
    kept = RawPost.objects.filter(outcome="kept").count()
    assert category.tweets.count() == kept > 150
    assert "bluesky:nobody.example.org" in out
    assert "skipped: missing" in out
    assert f"dropped, retweet: {RawPost.objects.filter(outcome='RETWEET').count()}" in out.splitlines()


@pytest.mark.timeout(300)
def test_killed_at_any_moment_and_run_again_it_comes_to_the_same(start, fake) -> None:
    arguments = ("killed", "--handle", "ada.example.org", "--handle", "bea.example.org")
    for pages in (2, 9, 23):
        child = start(*arguments)
        wait_for(partial(has_read, fake, pages), what=f"page {pages} was asked for")
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
    _, err = start(*arguments).communicate(timeout=120)
    [run] = ScrapeRun.objects.all()
    assert run.state == "done"
    assert f"Going on with scrape {run.pk}, which was left unfinished." in err
    # Forty pages of Ada and three of Bea; each kill may cost a page a feed that was asked for and not stored.
    assert pages_read(fake) <= 43 + 3 * 4
    undisturbed = Category.objects.create(slug="undisturbed", name="Undisturbed")
    add_handles(category=undisturbed, text="ada.example.org\nbea.example.org")
    child = start("undisturbed")
    child.communicate(timeout=120)
    assert child.returncode == 0
    assert everything(Category.objects.get(slug="killed")) == everything(undisturbed)


def test_interrupted_it_says_so_and_the_next_one_goes_on(start, fake) -> None:
    fake.troubles.append(Trouble(path="AuthorFeed", skip=3, reply=lambda request: fake.too_many(600)))
    child = start("stopped", "--handle", "ada.example.org")
    assert child.stderr is not None
    assert re.fullmatch(r"bluesky asks to wait: waiting (599|600) s\n", child.stderr.readline())
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert err.splitlines()[-1] == "CommandError: Interrupted: what is counted is stored. Run it again to go on."
    stored = RawPost.objects.count()
    assert stored > 250
    assert Feed.objects.get().passing
    again = start("stopped")
    again.communicate(timeout=60)
    assert again.returncode == 0
    assert RawPost.objects.count() > stored
    assert not Feed.objects.get().passing


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("nothing",), "'nothing' is no category, and has no list of accounts: write one into scraping/handles/nothing.txt, or add "),
        (("No Slug", "--handle", "a.example.org"), "'No Slug' can't be a category: use small letters, digits and hyphens, 50 at most"),
        (("birds", "--handle", "owl"), "--handle, line 1: 'owl' names no source: write x:owl, or the source it is read from."),
        (("birds", "--handle", "ada.example.org", "--language", "xx"), "'xx' is no language that can be told from others"),
        (("birds", "--handle", "x:owl"), "x costs money by the post: give a budget, in dollars."),
        (("birds", "--cap", "0", "--handle", "a.example.org"), "manage.py scrape: error: argument --cap: '0' is no whole number above 0"),
        (("birds", "--budget", "much"), "manage.py scrape: error: argument --budget: 'much' is no amount of dollars above 0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(start, arguments, line) -> None:
    child = start(*arguments)
    out, err = child.communicate(timeout=60)
    assert child.returncode != 0
    assert line in err.splitlines()[-1]
    assert out == ""


def test_a_source_that_refuses_everything_is_an_error(start, fake) -> None:
    fake.troubles.append(Trouble(times=99, reply=lambda request: Reply({"error": "Forbidden"}, 403)))
    child = start("banned", "--handle", "ada.example.org")
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert err.splitlines()[-1] == "CommandError: bluesky refuses us (403 Forbidden)"
