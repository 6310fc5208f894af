"""Who may come in where a permission is needed: to pages, and to live rooms."""

from collections.abc import Callable
from typing import Any

from channels.db import database_sync_to_async
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from game.live.identity import user_of

View = Callable[..., HttpResponse]


def only_with(permission: str) -> Callable[[View], View]:
    """Send those who are not signed in to sign in; refuse those who don't have `permission`."""
    return lambda view: never_cache(login_required(permission_required(permission, raise_exception=True)(view)))


def signed_in(request: HttpRequest) -> User:
    """Return who asks, in a view that lets in nobody else."""
    assert isinstance(request.user, User)
    return request.user


class GuardedTopic:
    """A live topic whose rooms open to those who have `permission`, by the session cookie."""

    permission: str

    async def may_join(self, scope: dict[str, Any], key: str) -> bool:
        """Let those watch who have the permission."""
        user = await user_of(scope)
        return bool(await database_sync_to_async(user.has_perm)(self.permission))
