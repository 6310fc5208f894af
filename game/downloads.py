"""Tables that are downloaded as CSV, piece by piece, however long they are."""

import csv
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

# A spreadsheet takes what begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Line:
    """What csv writes to: it hands back each line."""

    def write(self, line: str) -> str:
        return line


def quote(cell: str) -> str:
    """Return a cell that no spreadsheet computes."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as CSV; what is text stays text."""
    writer = csv.writer(_Line())
    return "".join(writer.writerow([quote(cell) if isinstance(cell, str) else cell for cell in row]) for row in rows)


def stream_csv(chunks: Iterator[str], *, name: str) -> StreamingHttpResponse:
    """Send CSV as a file called `name`, chunk by chunk as `chunks` yields them."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(_stream(chunks), content_type="text/csv; charset=utf-8", headers=headers)


async def _stream(chunks: Iterator[str]) -> AsyncIterator[str]:
    # The servers are asynchronous, and would collect all of a plain iterator first.
    following = sync_to_async(lambda: next(chunks, None))
    while (chunk := await following()) is not None:
        yield chunk
