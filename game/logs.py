"""What a log leaves out, so that errors stand out in it."""

import logging
from pathlib import PurePath
from typing import Any


def is_trouble(record: logging.LogRecord) -> bool:
    """Leave out the 503 of /readyz: the answer to "are you ready?" is no error."""
    request = getattr(record, "request", None)
    return not (getattr(record, "status_code", None) == 503 and getattr(request, "path", None) == "/readyz")


def is_more_than_a_visit(record: logging.LogRecord) -> bool:
    """Leave out that a websocket was opened or closed: uvicorn and its library say so at three places, on the server's own logger."""
    return record.levelno > logging.INFO or PurePath(record.pathname).parent.name != "websockets"


def without_a_clients_fault(record: logging.LogRecord) -> bool:
    """Let a line do where a client's bytes are no text: uvicorn adds where it noticed, with which anybody could fill the log."""
    if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError):
        record.exc_info = None
    return True


def logging_settings(level: str) -> dict[str, Any]:
    """Return Django's settings of the log: a line for each event, from `level` on."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django.request": {"filters": [is_trouble]},
            "uvicorn.error": {"filters": [is_more_than_a_visit, without_a_clients_fault]},
            # A line for each task received and one for each done: the clock sends one every few seconds. Failures are errors.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            # A line for each request of a scrape.
            "httpx": {"level": "WARNING"},
            # Where it found its credentials.
            "botocore": {"level": "WARNING"},
        },
    }
