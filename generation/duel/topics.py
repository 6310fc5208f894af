"""A prompt's page as a live topic."""

from typing import Any

from channels.db import database_sync_to_async
from django.template.loader import render_to_string

from game.live.topics import RoomClosed
from generation.duel.columns import DUEL
from generation.duel.models import Prompt
from generation.duel.selectors import read_duel


class DuelTopic:
    """One room per prompt, whose key is the prompt's token. Everybody may watch, unless it is withheld."""

    name = DUEL

    @database_sync_to_async
    def may_join(self, scope: dict[str, Any], key: str) -> bool:
        """Let everybody watch every prompt that is not withheld."""
        prompt = Prompt.objects.filter(token=key).first()
        return prompt is None or not prompt.is_withheld

    @database_sync_to_async
    def render(self, key: str) -> str:
        """Return the columns as fragments that htmx puts in place by their ids; raises RoomClosed for one that is none, or is withheld."""
        duel = read_duel(key)
        if duel is None or duel["prompt"].is_withheld:
            raise RoomClosed
        return render_to_string("duel/live.html", duel)
