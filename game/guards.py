"""Who may come in where a permission is needed: to pages, and to live rooms."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from game.live.identity import user_of

View = Callable[..., HttpResponse]


def only_with(permission: str, *, home: str) -> Callable[[View], View]:
    """Send those who are not signed in to sign in; refuse those who don't have `permission`.

    Then they are back where they were: on the page that they asked for, or from which they pressed a button, or else on `home`.
    """

    def guard(view: View) -> View:
        permitted = permission_required(permission, raise_exception=True)(view)

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.user.is_authenticated:
                return permitted(request, *args, **kwargs)
            return redirect_to_login(_page_of(request) or reverse(home))

        return never_cache(guarded)

    return guard


def only_post(view: View) -> View:
    """Refuse all but POST, and never send anybody there to look at something."""
    posted = require_POST(view)
    posted.only_post = True  # type: ignore[attr-defined]  # decorators around it copy it
    return posted


def _page_of(request: HttpRequest) -> str:
    """Return the address of the page that is asked for, or that a form was sent from; nothing if it is none of ours."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    came_from = urlsplit(request.headers.get("Referer", ""))
    if (came_from.scheme, came_from.netloc) != (request.scheme, request.get_host()):
        return ""
    try:
        view = resolve(came_from.path).func
    except Resolver404:
        return ""
    return "" if getattr(view, "only_post", False) else came_from._replace(scheme="", netloc="").geturl()


def signed_in(request: HttpRequest) -> User:
    """Return who asks, in a view that lets in nobody else."""
    assert isinstance(request.user, User)
    return request.user


def number_in(text: str) -> int | None:
    """Return the number of a row that an address or a form holds; None for what can be none."""
    return int(text) if text.isdecimal() and len(text) < 19 else None


def line_in(text: str, *, longest: int) -> str:
    """Return what a form's field says in one line, without the one character that no column holds."""
    return " ".join(text.replace("\x00", " ").split())[:longest]


class GuardedTopic:
    """A live topic whose rooms open to those who have `permission`, by the session cookie."""

    permission: str

    async def may_join(self, scope: dict[str, Any], key: str) -> bool:
        """Let those watch who have the permission."""
        user = await user_of(scope)
        return bool(await database_sync_to_async(user.has_perm)(self.permission))
