"""Pages that say what went wrong."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.views import defaults

Page = Callable[..., HttpResponse]


def _giving_back(page: Page) -> Page:
    """Let a page ask for a sound database connection, and give it back.

    Under ASGI Django draws it in a thread of its own, which no signal of a request reaches: a connection would stay
    there for good, out of the pool and broken as soon as the server has restarted.
    """

    @wraps(page)
    def drawn(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        _close_old_connections()
        try:
            return page(request, *args, **kwargs)
        finally:
            _close_old_connections()

    return drawn


def _close_old_connections() -> None:
    for connection in connections.all(initialized_only=True):
        # Whose transaction that is goes on with it.
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


bad_request = _giving_back(defaults.bad_request)
permission_denied = _giving_back(defaults.permission_denied)
page_not_found = _giving_back(defaults.page_not_found)
