"""Editions of the game: made, described, switched on and off. Every change is written down."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Count

from game.moderation.flags import look_again
from game.play.rules import CARDS_PER_ROUND
from game.pool.models import Category, CategoryEvent, Kind, Split, Status, Tweet, TweetFlag
from game.pool.rules import LANGUAGES
from generation.models import ModelVersion

# As static/css/categories.css knows them; none: plain.
COLORS = {"": "Plain", "teal": "Teal", "moss": "Moss", "rose": "Rose", "slate": "Slate"}
FIELDS = ("name", "description", "language", "active", "color", "approves_clean", "rejects", "double_share")
# What the pages call them.
NAMES = {
    "slug": "Address",
    "name": "Name",
    "description": "Description",
    "language": "Language",
    "active": "Shown to players",
    "color": "Colour",
    "approves_clean": "Clean machine tweets approved by themselves",
    "rejects": "Rejected by themselves",
    "double_share": "Share that two people decide on",
}
# After such a change what waits is looked through again.
_RULES = {"approves_clean", "rejects"}


class SlugTaken(Exception):
    """A category has that slug already."""


def in_words(name: str, value: Any) -> str:
    """Return the value of a field of a category as a person reads it."""
    match name, value:
        case "color", _:
            return COLORS.get(value, value)
        case "language", _:
            return f"{LANGUAGES[value]} ({value})" if value in LANGUAGES else value
        case "rejects", _:
            return ", ".join(TweetFlag.Flag(flag).label if flag in TweetFlag.Flag else flag for flag in value) or "none"
        case "double_share", _:
            return f"{value:g}"
        case _, bool():
            return "yes" if value else "no"
    return str(value) or "none"


def _values(category: Category) -> dict[str, Any]:
    return {name: getattr(category, name) for name in FIELDS}


@transaction.atomic
def create_category(*, slug: str, values: Mapping[str, Any], by: User | None) -> Category:
    """Make a category and write that down; raises SlugTaken. Its slug never changes: addresses, models and imports know it by that."""
    try:
        with transaction.atomic():
            category = Category.objects.create(slug=slug, **values)
    except IntegrityError as error:
        raise SlugTaken(slug) from error
    CategoryEvent.objects.create(category=category, by=by, after={"slug": slug, **_values(category)})
    return category


@transaction.atomic
def change_category(*, category: Category, values: Mapping[str, Any], by: User | None) -> dict[str, Any]:
    """Give a category other values, write down those that changed, and return them.

    Open rounds of one that is switched off stay as they are, and go on when it is switched on again.
    """
    category = Category.objects.select_for_update().get(pk=category.pk)
    before = _values(category)
    changed = {name: value for name, value in values.items() if name in FIELDS and before[name] != value}
    if not changed:
        return {}
    for name, value in changed.items():
        setattr(category, name, value)
    category.save(update_fields=list(changed))
    CategoryEvent.objects.create(category=category, by=by, before={name: before[name] for name in changed}, after=changed)
    if _RULES & changed.keys():
        look_again(category=category)
    return changed


@dataclass(frozen=True, slots=True)
class Readiness:
    """How far a category is: what it has, and what is missing before it can be played."""

    human: int
    machine: int
    pending: int
    missing: list[str]


def read_readiness(categories: Collection[Category]) -> dict[int, Readiness]:
    """Say, by its id, what each category has, and what it still needs."""
    its = Tweet.objects.filter(category__in=categories)
    ready = its.filter(status=Status.APPROVED, split=Split.PLAY).values_list("category", "kind").annotate(Count("pk"))
    playable = {(category, kind): count for category, kind, count in ready}
    pending = dict(its.filter(status=Status.PENDING).values_list("category").annotate(Count("pk")))
    writing = set(ModelVersion.objects.filter(category__in=categories, state=ModelVersion.State.ACTIVE).values_list("category", flat=True))

    def describe(pk: int) -> Readiness:
        human, machine = (playable.get((pk, kind), 0) for kind in (Kind.HUMAN, Kind.MACHINE))
        missing = []
        if human < CARDS_PER_ROUND:
            missing.append(f"{CARDS_PER_ROUND - human} more approved tweets of people that are for play")
        if machine < CARDS_PER_ROUND:
            missing.append(f"{CARDS_PER_ROUND - machine} more approved tweets of a bot")
            if pk not in writing:
                missing.append("a model that writes: train one, and promote it")
        return Readiness(human, machine, pending.get(pk, 0), missing)

    return {category.pk: describe(category.pk) for category in categories}
