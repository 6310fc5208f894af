"""What an answer's headers say about asking again. Servers' clocks differ from ours: the answer's own Date is what its times mean."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from scraping.sources.base import Limit


def read_limit(headers: Mapping[str, str], prefix: str) -> Limit | None:
    """Return what the headers `{prefix}remaining`, `{prefix}limit` and `{prefix}reset` say; None where they say nothing."""
    try:
        # Some servers count on below zero.
        remaining, limit = (min(max(int(headers[f"{prefix}{name}"]), 0), 2**31 - 1) for name in ("remaining", "limit"))
    except (KeyError, ValueError):
        return None
    return Limit(remaining, limit, seconds_until(headers.get(f"{prefix}reset"), headers) or 0.0)


def read_wait(headers: Mapping[str, str], prefix: str) -> float | None:
    """Return how many seconds a refused client shall wait: by Retry-After (RFC 9110, seconds or a date), else by `{prefix}reset`."""
    again = headers.get("retry-after", "")
    if again.isdecimal():
        return float(again)
    waits = [seconds_until(again, headers), seconds_until(headers.get(f"{prefix}reset"), headers)]
    return next((wait for wait in waits if wait is not None), None)


def seconds_until(moment: str | None, headers: Mapping[str, str]) -> float | None:
    """Return the seconds from the answer to `moment` (seconds since 1970, ISO 8601, or an HTTP date); never below 0, None if it is none."""
    then = _read(moment or "")
    if then is None:
        return None
    now = _read(headers.get("date", ""))
    return max(0.0, then - (time.time() if now is None else now))


def _read(moment: str) -> float | None:
    if moment.isdecimal():
        return float(moment)
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            stated = read(moment)
        except ValueError:
            continue
        return (stated if stated.tzinfo else stated.replace(tzinfo=UTC)).timestamp()
    return None
