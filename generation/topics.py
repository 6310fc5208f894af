"""The page of generation as a live topic."""

from channels.db import database_sync_to_async
from django.template.loader import render_to_string
from django.utils import timezone

from game.guards import GuardedTopic
from game.live.topics import RoomClosed
from generation import selectors
from generation.batches import ALL, GENERATION

PERMISSION = "generation.watch_generation"


class GenerationTopic(GuardedTopic):
    """One room: stocks, workers, queue and failures. Who may watch generation may watch."""

    name = GENERATION
    permission = PERMISSION

    @database_sync_to_async
    def render(self, key: str) -> str:
        """Return the fragments that htmx puts in place by their ids; raises RoomClosed for any other room."""
        if key != ALL:
            raise RoomClosed
        return render_to_string("generation/page/live.html", selectors.read_page(now=timezone.now()))
