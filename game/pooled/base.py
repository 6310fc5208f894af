"""Django's PostgreSQL behind a pool that gets over a restart of the server at the first request, not at the fourth."""

from typing import Any

from django.db.backends.postgresql import base
from psycopg import Connection, Error
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    """The backend of the web process. Needs the option `pool`, and CONN_HEALTH_CHECKS off: it checks by itself.

    The pool's own check (psycopg_pool 3.3) sleeps a second after the first broken connection, two after the second, then four: where a
    restart of the server broke eight that lay idle, whoever came first waited ten seconds, and got an error.
    """

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection[Any]:
        """Return a sound connection out of the pool. Raises OperationalError where there is none in the pool's time."""
        connection: Connection[Any] = super().get_new_connection(conn_params)
        try:
            ConnectionPool.check_connection(connection)
        except Error:
            # What broke this one broke the others that were idle. Each is replaced, in the pool's own threads.
            self.pool.putconn(connection)
            self.pool.check()
            connection = super().get_new_connection(conn_params)
        return connection
