"""Ask a starting game how far it is."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connections

from game.pool.models import Category, Kind, Status, Tweet
from generation.models import ModelVersion

DATABASE_AWAY = "The game waits for the database."
REQUEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """How far a game is: whether some category can be played, whether all that have a model can, and what it waits for."""

    playable: bool = False
    complete: bool = False
    line: str = ""


def ask(url: str) -> Answer:
    """Ask the game at `url`; before it listens its answer is empty."""
    try:
        with urllib.request.urlopen(url, timeout=REQUEST_SECONDS) as answer:
            playable, state = True, json.load(answer)
    except urllib.error.HTTPError as refusal:
        if refusal.code != 503:
            return Answer(line=f"The game answers with an error ({refusal.code}).")
        playable, state = False, json.load(refusal)
    except OSError:  # not listening yet
        return Answer()
    try:
        return _judge(playable, state)
    except DatabaseError:
        return Answer(playable, line=DATABASE_AWAY)
    finally:
        connections.close_all()


def _judge(playable: bool, state: dict[str, Any]) -> Answer:
    waiting = [slug for slug, ready in state["categories"].items() if not ready]
    if playable and not Category.objects.filter(slug__in=waiting, model_versions__state=ModelVersion.State.ACTIVE).exists():
        return Answer(playable, complete=True)
    if not state["database"]:
        return Answer(playable, line=DATABASE_AWAY)
    if not state["redis"]:
        return Answer(playable, line="The game waits for Redis.")
    if not state["categories"]:
        return Answer(playable, line="There is no category to play.")
    written = Tweet.objects.filter(author__kind=Kind.MACHINE, status=Status.APPROVED).count()
    return Answer(playable, line=f"The models are writing: {written} tweets so far.")
