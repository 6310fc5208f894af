"""Training runs as a live topic."""

from typing import Any

from channels.db import database_sync_to_async
from django.template.loader import render_to_string
from django.utils import timezone

from game.live.identity import user_of
from game.live.topics import RoomClosed
from training import selectors

TRAINING = "training"
PERMISSION = "training.train_model"
# The room of the list; every run has a room of its own, whose key is its id.
ALL_RUNS = "all"


class TrainingTopic:
    """One room per run, and one for the list of runs and models. Who may train may watch."""

    name = TRAINING

    async def may_join(self, scope: dict[str, Any], key: str) -> bool:
        """Let those watch who may train."""
        user = await user_of(scope)
        return bool(await database_sync_to_async(user.has_perm)(PERMISSION))

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
