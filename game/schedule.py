"""Which queue each task goes to, and how often the clock asks for some."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

QUEUES = {
    # The looking after, a matter of milliseconds: it must not wait behind what it looks after. Workers empty this queue first.
    "generation.tasks.keep_pool_ready": {"queue": "clock"},
    "generation.duel.tasks.keep_duels_going": {"queue": "clock"},
    "training.tasks.keep_training_going": {"queue": "clock"},
    "game.moderation.tasks.look_through_new_tweets": {"queue": "clock"},
    "game.classroom.tasks.*": {"queue": "clock"},
    # Hours, on machines that have torch.
    "training.tasks.run_training": {"queue": "training"},
    # Somebody waits for these.
    "generation.duel.tasks.*": {"queue": "duel"},
    "generation.tasks.*": {"queue": "generation"},
    # Hours of waiting for other people's servers: threads of a process of their own.
    # The looking after too, which would wait behind batches elsewhere: who else could do what it finds?
    "scraping.tasks.*": {"queue": "scraping"},
}


def every(seconds: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Return a beat schedule that asks for each task every so many seconds.

    While a worker is busy or away, one check waits in the queue and not a heap of them.
    """
    return {task: {"task": task, "schedule": timedelta(seconds=pause), "options": {"expires": pause}} for task, pause in seconds.items()}
