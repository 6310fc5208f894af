"""What a log leaves out, so that errors stand out in it."""

import logging
from pathlib import PurePath


def is_trouble(record: logging.LogRecord) -> bool:
    """Leave out the 503 of /readyz: the answer to "are you ready?" is no error."""
    request = getattr(record, "request", None)
    return not (getattr(record, "status_code", None) == 503 and getattr(request, "path", None) == "/readyz")


def is_more_than_a_visit(record: logging.LogRecord) -> bool:
    """Leave out that a websocket was opened or closed: uvicorn and its library say so at three places, on the server's own logger."""
    return record.levelno > logging.INFO or PurePath(record.pathname).parent.name != "websockets"
