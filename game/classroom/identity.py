"""Who sits where: a signed cookie carries the seats of a browser, so knowing them takes no query."""

import re
from collections.abc import Mapping

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpResponse

from game.classroom.rules import CODE_PATTERN
from game.play.rules import TOKEN_PATTERN

COOKIE = "seat"
MAX_AGE_SECONDS = 365 * 24 * 3600
# Seats in a browser: who joins one class more leaves the oldest.
MAX_SEATS = 8
_PAIR = re.compile(rf"({CODE_PATTERN}):({TOKEN_PATTERN})", re.ASCII)
_signer = TimestampSigner(salt="birdorbot.seat")


def read_seats(cookies: Mapping[str, str]) -> dict[str, str]:
    """Return the seats' tokens by their classes' codes, the newest last; none where no valid cookie names any."""
    try:
        pairs = _signer.unsign(cookies.get(COOKIE, ""), max_age=MAX_AGE_SECONDS).split(".")
    except BadSignature:
        return {}
    return {found[1]: found[2] for pair in pairs if (found := _PAIR.fullmatch(pair))}


def seat_token_in(cookies: Mapping[str, str], code: str) -> str | None:
    """Return the token of the seat that the cookies name in the class with this code."""
    return read_seats(cookies).get(code)


def remember_seat(response: HttpResponse, cookies: Mapping[str, str], code: str, token: str) -> None:
    """Give the browser the cookie of the seats that it has, and of this one."""
    seats = {other: kept for other, kept in read_seats(cookies).items() if other != code} | {code: token}
    pairs = [f"{each}:{seats[each]}" for each in list(seats)[-MAX_SEATS:]]
    response.set_cookie(
        COOKIE,
        _signer.sign(".".join(pairs)),
        max_age=MAX_AGE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
