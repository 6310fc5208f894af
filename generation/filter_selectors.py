"""What the page of the filters shows: how many samples fell to which, and some of them."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet, Sum

from game.pool.models import Category
from generation.models import Batch, DroppedSample
from generation.rules import Drop

# By the name in the address: what it is called, and how far back it goes.
PERIODS: dict[str, tuple[str, timedelta | None]] = {
    "day": ("Last day", timedelta(days=1)),
    "week": ("Last week", timedelta(days=7)),
    "all": ("All", None),
}
# Samples of one reason that are shown.
SHOWN = 10
# What passed every filter, and was not needed.
NOT_CHOSEN = (Drop.UNLIKE, Drop.LENGTH)
MEANS: dict[str, str] = {
    Drop.INCOMPLETE: "The model was still writing when its tokens ran out.",
    Drop.TOO_SHORT: "Under 25 characters: nothing to judge.",
    Drop.TOO_LONG: "Over 400 characters: no tweet.",
    Drop.REPLY: "It answers somebody, or passes on somebody's words; no human tweet here does.",
    Drop.PIECE: "It is numbered, or goes on where another broke off.",
    Drop.LINK: "Links are dropped from people's posts too.",
    Drop.MARKUP: "HTML is left in it.",
    Drop.LANGUAGE: "Surely in another language than the category's.",
    Drop.PERSONAL: "It holds a phone number, an address, or the like: made up or learned by heart, nobody should be called. Hidden here.",
    Drop.UNSAFE: "It holds a word that no school class should see. People's posts with these words are dropped too.",
    Drop.REPETITION: "It is caught in a loop.",
    Drop.MADE_UP_WORD: "It holds a word that stands in no tweet that the model learned from.",
    Drop.UNKNOWN_HANDLE: "It mentions an account that no tweet of the corpus mentions.",
    Drop.COPIED: "Eight words in a row stand in the tweets that the model learned from.",
    Drop.DUPLICATE: "The pool holds the same words already, or the batch does.",
    Drop.NEAR: "A tweet of the pool or of the batch says nearly the same.",
    Drop.UNLIKE: "The judge found others more like what people write.",
    Drop.LENGTH: "Others fitted the lengths of people's tweets better.",
}


def read_filters(*, category: Category | None, since: datetime | None) -> dict[str, Any]:
    """Return what became of the samples of the batches that were done since, of a category or of all: three queries."""
    batches = Batch.objects.filter(state=Batch.State.DONE)
    if category:
        batches = batches.filter(model_version__category=category)
    if since:
        batches = batches.filter(finished_at__gte=since)
    totals = batches.aggregate(made=Sum("made", default=0), kept=Sum("kept", default=0))
    samples = _read_samples(category, since)
    rows = [_row(reason, count, totals["made"], samples[reason]) for reason, count in _count_reasons(batches)]
    return {
        **totals,
        "share": 100 * totals["kept"] / totals["made"] if totals["made"] else None,
        "fell": [row for row in rows if row["reason"] not in NOT_CHOSEN],
        "spare": [row for row in rows if row["reason"] in NOT_CHOSEN],
    }


def _count_reasons(batches: QuerySet[Batch]) -> list[tuple[str, int]]:
    sql, params = batches.values("dropped").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT reason, sum(number::int) AS total FROM ({sql}) AS batch, jsonb_each_text(batch.dropped) AS each (reason, number)"  # noqa: S608 - the query is Django's
            " GROUP BY reason ORDER BY total DESC, reason",
            params,
        )
        return list(cursor.fetchall())


def _read_samples(category: Category | None, since: datetime | None) -> dict[str, list[DroppedSample]]:
    samples = DroppedSample.objects.select_related("batch__model_version", "tweet__author").order_by("-pk")
    if category:
        samples = samples.filter(batch__model_version__category=category)
    if since:
        samples = samples.filter(created_at__gte=since)
    by_reason: dict[str, list[DroppedSample]] = defaultdict(list)
    for sample in samples:
        if len(by_reason[sample.reason]) < SHOWN:
            by_reason[sample.reason].append(sample)
    return by_reason


def _row(reason: str, count: int, made: int, samples: list[DroppedSample]) -> dict[str, Any]:
    share = 100 * count / made if made else 0
    return {"reason": reason, "count": count, "share": share, "means": MEANS.get(reason, ""), "samples": samples}
