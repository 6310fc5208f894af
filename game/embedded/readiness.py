"""Ask a starting game how far it is."""

import json
import urllib.error
import urllib.request

from django.db import DatabaseError, connections

from game.pool.models import Kind, Status, Tweet

REQUEST_SECONDS = 10.0


def ask(url: str) -> tuple[bool, str]:
    """Return whether the game at `url` is ready, and what it waits for (empty before it answers)."""
    try:
        with urllib.request.urlopen(url, timeout=REQUEST_SECONDS):
            return True, ""
    except urllib.error.HTTPError as refusal:
        return False, _explain(refusal.read()) if refusal.code == 503 else f"The game answers with an error ({refusal.code})."
    except OSError:  # not listening yet
        return False, ""


def _explain(answer: bytes) -> str:
    state = json.loads(answer)
    if not state["database"]:
        return "The game waits for the database."
    if not state["redis"]:
        return "The game waits for Redis."
    if not state["categories"]:
        return "There is no category to play."
    try:
        written = Tweet.objects.filter(author__kind=Kind.MACHINE, status=Status.APPROVED).count()
    except DatabaseError:
        return "The game waits for the database."
    finally:
        connections.close_all()
    return f"The models are writing: {written} tweets so far."
