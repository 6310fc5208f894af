"""A log tells of trouble, not of every visit."""

import logging

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.log import log_response


@pytest.mark.parametrize(
    ("path", "status", "lines"),
    [("/readyz", 503, []), ("/readyz", 500, ["Not well: /readyz"]), ("/play/birds/", 503, ["Not well: /play/birds/"])],
)
def test_only_a_game_that_says_it_is_not_ready_leaves_no_line(caplog, path: str, status: int, lines: list[str]) -> None:
    log_response("Not well: %s", path, request=RequestFactory().get(path), response=HttpResponse(status=status))
    assert caplog.messages == lines


@pytest.mark.parametrize(
    ("level", "file", "kept"),
    [
        (logging.INFO, "/site-packages/uvicorn/protocols/websockets/websockets_sansio_impl.py", False),
        (logging.INFO, "/site-packages/websockets/server.py", False),
        (logging.ERROR, "/site-packages/websockets/server.py", True),
        (logging.INFO, "/site-packages/uvicorn/server.py", True),
    ],
)
def test_an_opened_or_closed_websocket_leaves_no_line_but_its_errors_do(level: int, file: str, kept: bool) -> None:
    logger = logging.getLogger("uvicorn.error")
    assert bool(logger.filter(logger.makeRecord(logger.name, level, file, 1, "connection open", (), None))) is kept


@pytest.mark.parametrize("name", ["celery.worker.strategy", "celery.app.trace"])
def test_a_task_that_came_and_went_leaves_no_line_but_one_that_failed_does(name: str) -> None:
    logger = logging.getLogger(name)
    assert (logger.isEnabledFor(logging.INFO), logger.isEnabledFor(logging.ERROR)) == (False, True)
