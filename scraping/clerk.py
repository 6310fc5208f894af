"""A thread that stores while its maker goes on reading: the database and this process work at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections

Item = TypeVar("Item")
Result = TypeVar("Result")


class Clerk(Generic[Item, Result]):
    """Calls `work` with one chunk after the other, and `tell` with what each came to, in its maker's thread.

    It works on its maker's connection, in whatever transaction that is in: from the first chunk on until the
    `with` block ends, its maker must leave the database alone. At most one chunk is being worked on, and what
    went wrong with it is raised by the next call. However the block ends, the chunk in work is completed and told.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Result], tell: Callable[[Result], None]) -> None:
        self.work, self.tell = work, tell
        self.connection = connections[DEFAULT_DB_ALIAS]
        self.thread = ThreadPoolExecutor(1, "clerk", initializer=self._borrow)
        self.pending: Future[Result] | None = None

    def hand_over(self, chunk: Sequence[Item]) -> None:
        """Wait until the last chunk is done, then have this one worked on."""
        self._finish()
        self.pending = self.thread.submit(self.work, chunk)

    def __enter__(self) -> "Clerk[Item, Result]":
        self.connection.inc_thread_sharing()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.thread.shutdown()
        self.connection.dec_thread_sharing()
        if kind is None or (self.pending and not self.pending.exception()):
            self._finish()

    def _finish(self) -> None:
        if self.pending:
            pending, self.pending = self.pending, None
            self.tell(pending.result())

    def _borrow(self) -> None:
        connections[DEFAULT_DB_ALIAS] = self.connection
