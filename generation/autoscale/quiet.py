"""Asking a worker to take no more tasks, so that none is lost between a last look at it and its end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from celery import current_app
from kombu.exceptions import OperationalError

# To every question the workers have so long to answer.
SECONDS = 2.0


class Unreachable(Exception):
    """Redis, through which workers are asked, is away; the message says why."""


class Hush:
    """Workers that were asked to take no more tasks."""

    def __init__(self, held: int) -> None:
        self.held = held
        self.for_good = False

    def keep(self) -> None:
        """Leave the workers as they are, which are about to end."""
        self.for_good = True


@contextmanager
def no_more_tasks(*, names: Sequence[str]) -> Iterator[Hush]:
    """Have workers take no more tasks, and tell how many they hold; afterwards they take some again, unless told to `keep` it so.

    A worker that does not answer is not waited for: what it took meanwhile is in the tables, and if it ends its lease gives that back.
    """
    if not names:
        yield Hush(0)
        return
    try:
        with current_app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=SECONDS)
            asked = {"destination": names, "timeout": SECONDS, "limit": len(names), "connection": connection}
            inspect = current_app.control.inspect(**asked)
            queues = {queue["name"] for found in (inspect.active_queues() or {}).values() for queue in found}
            for queue in queues:
                current_app.control.cancel_consumer(queue, reply=True, **asked)
            held = [task for answers in (inspect.active(), inspect.reserved()) for tasks in (answers or {}).values() for task in tasks]
            hush = Hush(len(held))
            try:
                yield hush
            finally:
                if not hush.for_good:
                    for queue in queues:
                        current_app.control.add_consumer(queue, reply=True, **asked)
    except (OperationalError, OSError) as error:
        raise Unreachable(f"Redis does not answer: {' '.join(str(error).split())}") from error
