"""Whom a limit on new prompts counts."""

from django.http import HttpRequest

from game.accounts.identity import player_id_of
from game.limits import client_address


def visitor(group: str, request: HttpRequest) -> str:
    """Return who asks: a player, or else an address."""
    return str(player_id_of(request) or client_address(group, request))
