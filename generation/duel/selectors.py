"""What the pages of the duel read. Nothing here writes."""

import json
from typing import Any

from django.db import connection
from django.db.models import Count, Prefetch, Q

from game.pool.rules import normalise
from generation.duel.columns import REST
from generation.duel.models import Column, Completion, CompletionReport, Prompt
from generation.duel.rules import Mood, majority, prompt_key, shares

SUGGESTIONS = 8
# What a moderator's page lists at once.
PAGE = 50

# What is read of a prompt `p`. A column is shown while its model is the one that its category plays with: a page compares those who write
# today. One that is missing, or failed a while ago (the parameter), is still to be asked.
SHOWN = """
    p.id, p.token, p.text, p.key, p.status, p.visits, p.closed_until, (
        SELECT json_agg(json_build_object(
                   'pk', col.id, 'state', col.state, 'tries', col.tries, 'model', model.name || ' v' || model.version,
                   'category', category.name, 'slug', category.slug, 'language', category.language,
                   'unasked', col.id IS NULL OR (col.state = 'failed' AND col.finished_at < now() - make_interval(secs => %s)),
                   'ahead', CASE WHEN col.state = 'pending' THEN (
                       SELECT count(*) FROM duel_column other WHERE other.state IN ('pending', 'running') AND other.id < col.id) END,
                   'waiting_seconds', extract(epoch FROM coalesce(col.finished_at, now()) - col.created_at)::int,
                   'completions', coalesce((
                       SELECT json_agg(json_build_object('token', one.token, 'text', one.text, 'mood', one.mood, 'compound', one.compound,
                                                         'sent', one.tweet_id IS NOT NULL, 'sendable', one.unfit = '') ORDER BY one.place)
                         FROM duel_completion one WHERE one.column_id = col.id AND NOT one.hidden), '[]'))
               ORDER BY category.name)
          FROM generation_modelversion model
          JOIN pool_category category ON category.id = model.category_id AND category.active
          LEFT JOIN duel_column col ON col.prompt_id = p.id AND col.model_version_id = model.id
         WHERE model.state = 'active')::text
"""
_READ = f"SELECT {SHOWN} FROM duel_prompt p WHERE p.token = %s"  # noqa: S608
_FAILED = "This model could not answer. Ask again in ten minutes, and it is tried anew."
_AGAIN = "This model broke off and is being asked again."


def read_duel(token: str) -> dict[str, Any] | None:
    """Return all that a prompt's page shows, read in one query; None if there is no such prompt.

    {"prompt": Prompt, "done": bool, "unasked": bool, "columns": [{"pk", "model", "category", "slug", "language", "state", "tries", "ahead",
    "waiting_seconds", "error", "mood", "shares", "main": [completion…], "rest": [completion…]}]}: `main` are those in the mood of
    most, the best first, and all where no mood is known; a completion is {"token", "text", "mood", "compound", "sent", "sendable"}.
    `unasked` says whether a visit would ask a model; `waiting_seconds` stand still once a column is done; `ahead` counts the answers
    that a waiting one waits for.
    """
    with connection.cursor() as cursor:
        cursor.execute(_READ, [REST.total_seconds(), token])
        return arrange_duel(cursor.fetchone())


def arrange_duel(row: tuple[Any, ...] | None) -> dict[str, Any] | None:
    """Return a row of SHOWN as `read_duel` does."""
    if row is None:
        return None
    pk, token, text, key, status, visits, closed_until, found = row
    rows = json.loads(found or "[]")
    unasked = [column.pop("unasked") for column in rows]
    columns = [_arrange(column) for column in rows if column["pk"]]
    return {
        "prompt": Prompt(pk=pk, token=token, text=text, key=key, status=status, visits=visits, closed_until=closed_until),
        "columns": columns,
        "done": all(column["state"] in (Column.State.DONE, Column.State.FAILED) for column in columns),
        "unasked": any(unasked),
    }


def _arrange(column: dict[str, Any]) -> dict[str, Any]:
    completions = column.pop("completions")
    moods = [Mood(each["mood"]) for each in completions if each["mood"]]
    mood = majority(moods)
    failed, tried = column["state"] == Column.State.FAILED, column["state"] == Column.State.PENDING and column["tries"]
    return column | {
        "error": _FAILED if failed else _AGAIN if tried else "",
        "mood": mood,
        "shares": shares(moods),
        "main": [each for each in completions if mood is None or each["mood"] == mood],
        "rest": [each for each in completions if mood is not None and each["mood"] != mood],
    }


def suggest(prefix: str, limit: int = SUGGESTIONS) -> list[str]:
    """Return approved prompts that begin like that, whatever their case, the most visited first."""
    start = prompt_key(normalise(prefix))
    if not start:
        return []
    found = Prompt.objects.filter(status=Prompt.Status.APPROVED, key__startswith=start)
    return list(found.order_by("-visits").values_list("text", flat=True)[:limit])


def known_prompts(limit: int) -> list[Prompt]:
    """Return approved prompts that somebody has answered, the most visited first."""
    answered = Column.objects.filter(state=Column.State.DONE).values("prompt")
    return list(Prompt.objects.filter(status=Prompt.Status.APPROVED, pk__in=answered).order_by("-visits")[:limit])


def prompts_to_decide() -> list[Prompt]:
    """Return prompts that no moderator has decided on, the newest first."""
    return list(Prompt.objects.filter(status=Prompt.Status.PENDING).order_by("-pk")[:PAGE])


def reported_completions() -> list[Completion]:
    """Return completions that somebody reported since a moderator looked, the most reported first, with `open_reports` on each."""
    unsettled = Prefetch("reports", queryset=CompletionReport.objects.filter(settled=False), to_attr="open_reports")
    found = Completion.objects.select_related("column__prompt", "column__model_version__category").prefetch_related(unsettled)
    reported = found.annotate(times=Count("reports", filter=Q(reports__settled=False))).filter(times__gt=0)
    return list(reported.order_by("-times", "pk")[:PAGE])
