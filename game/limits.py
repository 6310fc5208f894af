"""Limits on how often one address may ask."""

import functools
import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)
View = Callable[..., HttpResponse]


def client_address(group: str, request: HttpRequest) -> str:
    """Return the address that a request comes from, through as many proxies as TRUSTED_PROXIES says.

    Each proxy appends the address it saw, so only the last entries can be believed.
    """
    if settings.TRUSTED_PROXIES:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        if len(hops) >= settings.TRUSTED_PROXIES:
            return hops[-settings.TRUSTED_PROXIES]
    # A server on a Unix socket behind no proxy has no client address at all.
    return request.META.get("REMOTE_ADDR") or "unix"


def refuse_too_many(request: HttpRequest, setting: str, key: Callable[[str, HttpRequest], str] = client_address) -> HttpResponse | None:
    """Count this request against settings.<setting>; return the 429 answer if whom `key` names, its address, is over it."""
    try:
        usage = get_usage(request, group=setting, key=key, rate=getattr(settings, setting), increment=True)
    except (RedisError, OSError) as error:
        # A game that can't count is better than no game.
        logger.warning("%s is not enforced: Redis is away (%s).", setting, error)
        return None
    if not usage or not usage["should_limit"]:
        return None
    retry = max(1, usage["time_left"])
    response = render(request, "429.html", {"retry": retry}, status=429)
    response.headers["Retry-After"] = str(retry)
    return response


def limited(setting: str) -> Callable[[View], View]:
    """Answer 429 to an address that posts to the view more often than settings.<setting> allows."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            refusal = refuse_too_many(request, setting) if request.method == "POST" else None
            return refusal or view(request, *args, **kwargs)

        return inner

    return decorate
