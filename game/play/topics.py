"""The leaderboard as a live topic."""

from typing import Any

from channels.db import database_sync_to_async
from django.template.loader import render_to_string

from game.live.topics import RoomClosed
from game.play.selectors import read_board
from game.play.services import EVERY_CATEGORY, LEADERBOARD
from game.pool.models import Category


class LeaderboardTopic:
    """One room per category, and one for all of them. Everybody may watch."""

    name = LEADERBOARD

    async def may_join(self, scope: dict[str, Any], key: str) -> bool:
        """Let everybody watch every board."""
        return True

    @database_sync_to_async
    def render(self, key: str) -> str:
        """Return the board as a fragment that htmx puts in place by its id; raises RoomClosed for a category that is off."""
        if key == EVERY_CATEGORY:
            return render_to_string("leaderboard/board.html", read_board(None))
        category = Category.objects.filter(slug=key, active=True).first()
        if category is None:
            raise RoomClosed
        return render_to_string("leaderboard/board.html", read_board(category))
