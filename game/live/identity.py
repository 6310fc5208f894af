"""Who is at the other end of a socket."""

from importlib import import_module
from typing import Any

from channels.auth import get_user
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import parse_cookie


async def user_of(scope: dict[str, Any]) -> User | AnonymousUser:
    """Return who is signed in on the connection with this ASGI scope.

    Asked by the topics that need it, not for every socket: a board's thousand guests cost no look into a session.
    """
    cookies = parse_cookie(dict(scope["headers"]).get(b"cookie", b"").decode("latin-1"))
    store = import_module(settings.SESSION_ENGINE).SessionStore
    user: User | AnonymousUser = await get_user({"session": store(cookies.get(settings.SESSION_COOKIE_NAME))})
    return user
