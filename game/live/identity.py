"""Who is at the other end of a socket."""

from importlib import import_module
from typing import Any

from channels.auth import get_user
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import parse_cookie


def cookies_of(scope: dict[str, Any]) -> dict[str, str]:
    """Return the cookies of the connection with this ASGI scope."""
    return parse_cookie(dict(scope["headers"]).get(b"cookie", b"").decode("latin-1"))


async def user_of(scope: dict[str, Any]) -> User | AnonymousUser:
    """Return who is signed in on the connection with this ASGI scope.

    Asked by the topics that need it, not for every socket: a board's thousand guests cost no look into a session.
    """
    store = import_module(settings.SESSION_ENGINE).SessionStore
    user: User | AnonymousUser = await get_user({"session": store(cookies_of(scope).get(settings.SESSION_COOKIE_NAME))})
    return user
