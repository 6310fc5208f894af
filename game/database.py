"""What processes share that work with PostgreSQL: what to say when it does not answer, and locks that one of them holds."""

from contextlib import suppress

from django.db import InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper


def unserved(error: Exception) -> str:
    """Say that PostgreSQL does not serve us, why, and what to look at; `error` is the database's own."""
    # Most often nothing runs: a command works beside `make play`.
    return f"PostgreSQL does not serve us: {' '.join(str(error).split())} (Does `make play` run, or is DATABASE_URL right?)"


class Lock:
    """An advisory lock on a connection of its own, which ends with this process however it ends; `won` says whether it is ours."""

    def __init__(self, kind: int, key: int = 0) -> None:
        self._connection: BaseDatabaseWrapper = connections.create_connection("default")
        with self._connection.cursor() as cursor:
            # Should the machine vanish, its lock does so within a minute.
            cursor.execute("SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3")
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [kind, key])
            self.won: bool = cursor.fetchone()[0]
        if not self.won:
            self.release()

    def check(self) -> None:
        """Raise OperationalError if the connection is gone, and the lock with it."""
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    def release(self) -> None:
        # Whoever comes next need not wait until the server has noticed that the connection is gone.
        with suppress(OperationalError, InterfaceError), self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")
        self._connection.close()
