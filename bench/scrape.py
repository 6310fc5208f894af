"""scrape.overhead: posts a second stored by a run / read by the client library alone, from a server that answers at once.

Sides and server are processes of their own, which take turns; each side reads every page of every account.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from bench.game import empty_game
from bench.report import NotMeasured, Row
from tests.fakes.bluesky import BlueskyFake, did
from tests.fakes.mastodon import HOST, MastodonFake
from tests.fakes.server import FakeServer, Reply, Request, Trouble
from tests.fakes.world import World
from tests.fakes.x_api import TOKEN, XFake
from tests.stack import ROOT, Stack

GOAL = 0.5
ROUNDS = 3
ACCOUNTS, POSTS = 16, 800
FAKES: dict[str, tuple[type[FakeServer], str]] = {
    "x": (XFake, "ada{}"),
    "mastodon": (MastodonFake, f"ada{{}}@{HOST}"),
    "bluesky": (BlueskyFake, "ada{}.example.org"),
}
LIBRARIES = {"x": "tweepy", "mastodon": "Mastodon.py", "bluesky": "httpx and json"}


def measure() -> list[Row]:
    """Return a row per source; the first one's library is the one that people pay to read with."""
    with empty_game() as stack:
        return [_measure_source(stack, name) for name in FAKES]


def _measure_source(stack: Stack, name: str) -> Row:
    addresses = {"SCRAPE_X_URL", "SCRAPE_MASTODON_URL", "SCRAPE_BLUESKY_URL"}
    with _served(name) as url:
        env = stack.env | dict.fromkeys(addresses, url) | {"X_BEARER_TOKEN": TOKEN, "LOG_LEVEL": "WARNING", "SCRAPE_PROXIES": ""}
        _run(env, "read", name, url)  # fills the server's cache
        read, stored = [], []
        for turn in range(ROUNDS):
            read.append(_run(env, "read", name, url))
            stored.append(_run(env, "store", name, str(turn)))
    ratio = statistics.median(stored) / statistics.median(read)
    note = (
        f"{ACCOUNTS} accounts, {POSTS} posts each: {statistics.median(stored):,.0f} posts/s stored,"
        f" {statistics.median(read):,.0f} read by {LIBRARIES[name]} alone; medians of {ROUNDS}, in turns"
    )
    return Row("scrape.overhead" if name == "x" else f"scrape.overhead.{name}", round(ratio, 2), GOAL, "ratio", note, least=True)


@contextmanager
def _served(name: str) -> Iterator[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.scrape", "serve", name], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.communicate()


def _run(env: dict[str, str], *arguments: str) -> float:
    """Return the posts a second that a side came to."""
    command = [sys.executable, "-m", "bench.scrape", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotMeasured(f"bench.scrape {' '.join(arguments[:2])} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return told["posts"] / told["seconds"]


def serve(name: str) -> None:
    """Answer every request as before, once it was made, until our maker is gone."""
    kind, handle = FAKES[name]
    world = World()
    for number in range(ACCOUNTS):
        world.add(handle.format(number), posts=POSTS)
    answers: dict[Any, Reply] = {}

    class Quick(kind):  # type: ignore[misc, valid-type]
        def answer(self, request: Request) -> Reply:
            key = (request.path, tuple(sorted((name, tuple(values)) for name, values in request.all.items())))
            if key not in answers:
                self.remaining = 800
                told = super().answer(request)
                answers[key] = Reply(told.encoded(), told.status, told.headers)
            return answers[key]

        def find_trouble(self, request: Request) -> Trouble | None:
            return None

    with Quick(world) as fake:
        sys.stdout.write(f"{fake.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


def read(name: str, url: str) -> int:
    """Read every page with the client library alone, as its documentation has it, and return how many posts came."""
    world = World()
    people = [world.add(FAKES[name][1].format(number)) for number in range(ACCOUNTS)]
    return sum(map(_READERS[name](url), people))


def _tweepy(url: str) -> Callable[[Any], int]:
    import tweepy

    from scraping.sources.transport import Transport

    client = tweepy.Client(TOKEN)
    transport = Transport(prefix="", explain=lambda *told: None, token=TOKEN, instead_of="https://api.twitter.com", origin=url)
    client.session = transport.mounted()

    def read_one(person: Any) -> int:
        posts, cursor = 0, None
        while True:
            fields = ["created_at", "conversation_id", "in_reply_to_user_id", "referenced_tweets", "public_metrics", "note_tweet"]
            page = client.get_users_tweets(
                person.key, exclude=["replies", "retweets"], max_results=100, pagination_token=cursor, tweet_fields=fields
            )
            posts += len(page.data or [])
            cursor = page.meta.get("next_token")
            if not cursor:
                return posts

    return read_one


def _mastodon_py(url: str) -> Callable[[Any], int]:
    from mastodon import Mastodon

    client = Mastodon(api_base_url=url, version_check_mode="none", ratelimit_method="throw")

    def read_one(person: Any) -> int:
        posts, page = 0, client.account_statuses(person.key, exclude_replies=True, exclude_reblogs=True, limit=40)
        while page:
            posts += len(page)
            page = client.fetch_next(page)
        return posts

    return read_one


def _httpx(url: str) -> Callable[[Any], int]:
    import httpx

    client = httpx.Client(base_url=f"{url}/xrpc/")

    def read_one(person: Any) -> int:
        posts = 0
        cursor: dict[str, str] = {}
        while True:
            asked = {"actor": did(person), "limit": "100", "filter": "posts_no_replies"}
            page = client.get("app.bsky.feed.getAuthorFeed", params=asked | cursor).json()
            posts += len(page["feed"])
            if "cursor" not in page:
                return posts
            cursor = {"cursor": page["cursor"]}

    return read_one


_READERS: dict[str, Callable[[str], Callable[[Any], int]]] = {"x": _tweepy, "mastodon": _mastodon_py, "bluesky": _httpx}


def prepare(name: str, turn: str) -> Any:
    """Return a run that is asked for, over every account."""
    from decimal import Decimal

    from game.pool.models import Category
    from scraping.feeds import add_handles
    from scraping.runs import start_run

    category = Category.objects.create(slug=f"bench-{name}-{turn}", name="Bench")
    add_handles(category=category, text="\n".join(f"{name}:{FAKES[name][1].format(number)}" for number in range(ACCOUNTS)))
    return start_run(category=category, by=None, budget=Decimal(100_000), here=True)


def store(run: Any) -> int:
    """Do a run, and return how many posts were stored."""
    from scraping.work import carry_out

    carry_out(run_id=run.pk)
    run.refresh_from_db()
    if run.state != "done" or run.note:
        raise NotMeasured(f"The run ended {run.state}: {run.error} {run.note}")
    return sum(visit.new for visit in run.visits.all())


def main(side: str, name: str, rest: str) -> None:
    """Time one side, start-up left out, and print what it came to."""
    if side == "store":
        import django

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "game.settings")
        django.setup()
        run = prepare(name, rest)
        # Both sides have their libraries in memory when the time begins.
        import_module(f"scraping.sources.{name}")
        start = time.perf_counter()
        posts = store(run)
    else:
        start = time.perf_counter()
        posts = read(name, rest)
    sys.stdout.write(json.dumps({"posts": posts, "seconds": time.perf_counter() - start}) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        main(*sys.argv[1:])
