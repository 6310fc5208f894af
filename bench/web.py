"""web.*: what a web process has in memory after a thousand requests."""

import json

import psutil

from bench.client import Player
from bench.report import NotMeasured, Row
from tests.stack import Stack

REQUESTS = 1_000
# Seconds to import, hundreds of megabytes, and nothing to do in a web process.
HEAVY = {"torch", "transformers", "ctranslate2"}
CATEGORY = "pool-10k"


def measure(stack: Stack) -> list[Row]:
    """Start the web process anew, browse, and look at its resident memory and its imports."""
    stack.stop("web")
    stack.start_web()
    pages = browse(stack.port, REQUESTS)
    resident = psutil.Process(stack.processes["web"].pid).memory_info().rss
    imported = HEAVY & set(json.loads(Player(stack.port).get("/bench/modules/")[1])["modules"])
    return [
        Row("web.memory", round(resident / 1e6, 1), 150, "MB", f"{REQUESTS} requests, {len(pages)} kinds of page"),
        Row("web.heavy_imports", len(imported), 0, "modules", ", ".join(sorted(imported)) or f"none of {', '.join(sorted(HEAVY))}"),
    ]


def browse(port: int, requests: int) -> set[str]:
    """Make so many requests as people would, a new player every ten; return the kinds of page that were asked for."""
    asked: set[str] = set()
    made = 0
    while made < requests:
        player = Player(port)
        path = player.next_guess(CATEGORY)
        reveal = f"/play/{CATEGORY}/?card={path.split('/')[2]}"
        visits: list[tuple[str, int]] = [
            ("/", 200),
            (path, 200),
            (reveal, 200),
            (f"/play/{CATEGORY}/", 200),
            ("/leaderboard/", 200),
            (f"/leaderboard/{CATEGORY}/", 200),
            ("/account/sign-in/", 200),
            ("/static/js/nothing.js", 404),
            ("/readyz", 200),
        ]
        for page, expected in visits:
            status, _ = player.post(page, {"verdict": "machine"}, htmx=True) if page == path else player.get(page)
            if status != expected:
                raise NotMeasured(f"{page} answered {status} instead of {expected}.")
            asked.add("/guess/" if page == path else "reveal" if page == reveal else page)
        made += 1 + len(visits)
        player.connection.close()
    return asked
