"""What else keeps generation's workers busy: apps register their jobs here, so that this app imports none of theirs."""

from django.db.models import Model

_queues: dict[str, type[Model]] = {}


def register_queue(name: str, jobs: type[Model]) -> None:
    """Have the page of generation tell of `jobs`, rows as claims.py describes them with `model_version`; called from an app's `ready`."""
    _queues[name] = jobs


def other_queues() -> dict[str, type[Model]]:
    """Return the jobs of every other app, by the name that the page calls them."""
    return dict(_queues)
