"""What the page of generation says in words."""

from datetime import timedelta

import pytest

from generation.words import duration, explain, lasts, seen


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "under a minute"),
        (44, "under a minute"),
        (45, "1 minute"),
        (200, "3 minutes"),
        (3_569, "59 minutes"),
        (3_570, "1 hour"),
        (7_300, "2 hours"),
        (47 * 3600, "47 hours"),
        (50 * 3600, "2 days"),
    ],
)
def test_a_time_is_as_coarse_as_a_person_would_say_it(seconds: int, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words


def test_a_worker_that_beats_was_seen_just_now() -> None:
    assert [seen(timedelta(seconds=ago)) for ago in (-1, 14, 16, 130)] == [
        "seen just now",
        "seen just now",
        "seen under a minute ago",
        "seen 2 minutes ago",
    ]


def test_what_nobody_plays_lasts_and_what_is_empty_does_not() -> None:
    assert [lasts(*stock) for stock in ((0, 0), (0, 50), (50, 0), (50, 100), (300, 100))] == [
        "empty",
        "empty",
        "\N{EN DASH}",
        "30 minutes",
        "3 hours",
    ]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("BackendError: CUDA out of memory", "The model broke off: CUDA out of memory."),
        ("BackendError: ", "The model broke off: it did not say why."),
        ("UnusableModelError: /m/x is empty.", "/m/x is empty. Repair the folder, or promote another model."),
        ("OperationalError: the connection is closed", "PostgreSQL went away: the connection is closed."),
        (
            "SoftTimeLimitExceeded: SoftTimeLimitExceeded()",
            "It took longer than TASK_SOFT_LIMIT_SECONDS allows: set GENERATION_BATCH_SIZE lower.",
        ),
        ("KeyError: 'topk'", "An error that nobody foresaw, KeyError: 'topk'. The worker's log has the rest."),
        ("Its worker died: out of memory.", "Its worker died: out of memory."),
    ],
)
def test_an_error_is_told_so_that_somebody_can_do_something(error: str, words: str) -> None:
    assert explain(error) == words
