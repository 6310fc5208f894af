"""One pool of Redis connections for the whole process."""

from functools import cache
from typing import Any

from redis import ConnectionPool


class SharedPool:
    """Hands Django's cache the same pool every time.

    Under ASGI each request has a cache object of its own. Left alone, each opens a connection
    of its own too, which took longer than all that a guess asks of Redis.
    """

    @staticmethod
    @cache
    def from_url(url: str, **options: Any) -> ConnectionPool:
        """Return this process's pool of connections to `url`."""
        return ConnectionPool.from_url(url, **options)
