"""Who is playing: a signed cookie carries the player's id, so knowing it takes no query."""

import uuid
from collections.abc import Mapping

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

COOKIE = "player"
# Browsers keep a cookie 400 days at the most.
MAX_AGE_SECONDS = 400 * 24 * 3600
_signer = TimestampSigner(salt="birdorbot.player")


def read_player_id(cookies: Mapping[str, str]) -> uuid.UUID | None:
    """Return the player that the cookies name, or None where no valid cookie does."""
    try:
        return uuid.UUID(_signer.unsign(cookies.get(COOKIE, ""), max_age=MAX_AGE_SECONDS))
    except (BadSignature, ValueError):
        return None


def player_id_of(request: HttpRequest) -> uuid.UUID | None:
    """Return the id of the player who makes this request, if they have played before."""
    return read_player_id(request.COOKIES)


def remember_player(response: HttpResponse, player_id: uuid.UUID) -> None:
    """Give the browser the cookie that makes it this player."""
    response.set_cookie(
        COOKIE, _signer.sign(str(player_id)), max_age=MAX_AGE_SECONDS, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
    )


def public_ref(player_id: uuid.UUID) -> str:
    """Return a short name for a player that others may see; it does not lead back to the id."""
    return salted_hmac("birdorbot.player-ref", str(player_id), algorithm="sha256").hexdigest()[:12]
