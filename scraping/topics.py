"""Scraping as a live topic."""

from channels.db import database_sync_to_async
from django.template.loader import render_to_string
from django.utils import timezone

from game.guards import GuardedTopic
from game.live.topics import RoomClosed
from scraping import selectors
from scraping.runs import ALL_RUNS, TOPIC

PERMISSION = "scraping.scrape_posts"


class ScrapingTopic(GuardedTopic):
    """One room per run, and one for the list of runs, sources and categories. Who may scrape may watch."""

    name = TOPIC
    permission = PERMISSION

    @database_sync_to_async
    def render(self, key: str) -> str:
        """Return the fragments that htmx puts in place by their ids; raises RoomClosed for a run that is none."""
        now = timezone.now()
        if key == ALL_RUNS:
            return render_to_string("scraping/list/live.html", selectors.read_list(now=now))
        run = selectors.read_run(int(key), now=now) if key.isdecimal() else None
        if run is None:
            raise RoomClosed
        return render_to_string("scraping/run/live.html", run)
