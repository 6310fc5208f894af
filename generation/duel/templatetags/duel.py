"""Columns, drawn once a process for all that look at them."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from generation.duel.models import Prompt
from generation.duel.rules import Mood

register = template.Library()

# So many of the columns drawn last are kept, some 15 kB each.
KEPT_COLUMNS = 256
# After so long the page says that it takes longer than usual.
LATE_SECONDS = 60
_OVER = ("done", "failed")


@register.filter
def answered(columns: Sequence[dict[str, Any]]) -> int:
    """Count the columns that wait for nobody."""
    return sum(column["state"] in _OVER for column in columns)


@register.simple_tag
def draw_column(column: dict[str, Any], prompt: Prompt) -> SafeString:
    """Return a column of `read_duel` as HTML, the same to the byte for everybody who looks at it in this state."""
    facts = {name: column[name] for name in ("pk", "category", "language", "model", "state", "error", "ahead", "mood")}
    facts["late"] = column["state"] not in _OVER and column["waiting_seconds"] >= LATE_SECONDS
    return _draw(tuple(facts.items()), _frozen(column["main"]), _frozen(column["rest"]), prompt.text)


def _frozen(completions: Sequence[dict[str, Any]]) -> tuple[tuple[str, str, str, bool, bool], ...]:
    return tuple((each["token"], each["text"], each["mood"], each["sent"], each["sendable"]) for each in completions)


@register.simple_tag
def two_parts(text: str, beginning: str) -> SafeString:
    """Return a completion, in bold what was asked."""
    return format_html("<b>{}</b>{}", *_split(text, beginning))


@lru_cache(maxsize=KEPT_COLUMNS)
def _draw(facts: tuple[tuple[str, Any], ...], main: tuple[Any, ...], rest: tuple[Any, ...], beginning: str) -> SafeString:
    context = dict(facts) | {
        "main": [_part(each, beginning) for each in main],
        "rest": [_part(each, beginning) for each in rest],
        "total": len(main) + len(rest),
        "moods": _count_moods([mood for _, _, mood, *_ in (*main, *rest) if mood]),
    }
    # The text itself is trusted no more than before: the template has escaped it.
    return mark_safe(render_to_string("duel/column.html", context).strip())  # noqa: S308


def _part(completion: tuple[str, str, str, bool, bool], beginning: str) -> dict[str, Any]:
    """Return a completion with what was asked and what the model added as two texts."""
    token, text, mood, sent, sendable = completion
    asked, added = _split(text, beginning)
    return {"token": token, "asked": asked, "added": added, "mood": mood, "sent": sent, "sendable": sendable}


def _split(text: str, beginning: str) -> tuple[str, str]:
    return (beginning, text[len(beginning) :]) if text.startswith(beginning) else ("", text)


def _count_moods(moods: list[str]) -> list[dict[str, Any]]:
    """Return each mood with how many have it, and its part of a bar of length 100."""
    counts, start, bar = Counter(moods), 0.0, []
    for mood in Mood:
        width = 100 * counts[mood] / len(moods) if moods else 0.0
        bar.append({"mood": mood, "count": counts[mood], "start": round(start, 2), "width": round(width, 2)})
        start += width
    return bar if moods else []
