"""How often one visitor may ask something new."""

from django.http import HttpRequest

from game.accounts.identity import player_id_of
from game.limits import client_address, seconds_to_wait


def may_ask_new(request: HttpRequest) -> bool:
    """Count a new prompt against RATE_DUEL_NEW; say whether its visitor, a player or else an address, may ask it."""
    return not seconds_to_wait(request, "RATE_DUEL_NEW", _visitor)


def _visitor(group: str, request: HttpRequest) -> str:
    return str(player_id_of(request) or client_address(group, request))
