"""Training runs as a live topic."""

from channels.db import database_sync_to_async
from django.template.loader import render_to_string
from django.utils import timezone

from game.guards import GuardedTopic
from game.live.topics import RoomClosed
from training import selectors

TRAINING = "training"
PERMISSION = "training.train_model"
# The room of the list; every run has a room of its own, whose key is its id.
ALL_RUNS = "all"


class TrainingTopic(GuardedTopic):
    """One room per run, and one for the list of runs and models. Who may train may watch."""

    name = TRAINING
    permission = PERMISSION

    @database_sync_to_async
    def render(self, key: str) -> str:
        """Return the fragments that htmx puts in place by their ids; raises RoomClosed for a run that is none."""
        now = timezone.now()
        if key == ALL_RUNS:
            return render_to_string("training/list/live.html", selectors.read_list(now=now))
        run = selectors.read_run(int(key), now=now) if key.isdecimal() else None
        if run is None:
            raise RoomClosed
        return render_to_string("training/run/live.html", run)
