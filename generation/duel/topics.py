"""A prompt's page as a live topic."""

from typing import Any

from channels.db import database_sync_to_async
from django.template.loader import render_to_string

from game.live.topics import RoomClosed
from generation.duel.columns import DUEL
from generation.duel.selectors import read_duel


class DuelTopic:
    """One room per prompt, whose key is the prompt's token. Everybody may watch."""

    name = DUEL

    async def may_join(self, scope: dict[str, Any], key: str) -> bool:
        """Let everybody watch every prompt."""
        return True

    @database_sync_to_async
    def render(self, key: str) -> str:
        """Return the columns as fragments that htmx puts in place by their ids; raises RoomClosed for a prompt that is none."""
        duel = read_duel(key)
        if duel is None:
            raise RoomClosed
        return render_to_string("duel/live.html", duel)
