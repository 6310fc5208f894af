"""What a model's folder says about itself: its card, and what it knows of the tweets it learned from."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from generation.backends.base import Tokens, UnusableModelError
from generation.judge import Judge
from generation.rules import RUN_BYTES, WORD_BYTES, HashedSet, Knowledge, LengthProfile


@dataclass(frozen=True, slots=True)
class Card:
    """The part of card.json that the game needs."""

    name: str
    version: int
    category: str
    corpus_sha256: str
    recipe: dict[str, Any]
    scores: dict[str, Any]
    sampling: dict[str, Any]
    # How a server that runs the model reads where texts begin and end.
    served: Tokens = field(default_factory=Tokens)


# What PostgreSQL's integers hold, and its columns for a name, a slug and a hash.
_MOST, _NAME, _SLUG, _HASH = 2**31 - 1, 80, 50, 64


def _is_text(most: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and 0 < len(value.strip()) == len(value) <= most and value.isprintable()


def _is_whole(least: int, most: int = _MOST) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _is_number(least: float, most: float) -> Callable[[Any], bool]:
    return lambda value: type(value) in (int, float) and least <= value <= most


def _is_object(value: Any) -> bool:
    # Of numbers and characters that PostgreSQL keeps: no NaN, no \0, no half of a surrogate pair.
    return isinstance(value, dict) and _is_storable(value)


def _is_storable(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_storable(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return all(map(_is_storable, value))
    if isinstance(value, str):
        return not any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in value)
    return not isinstance(value, float) or isfinite(value)


_Rules = dict[str, tuple[Callable[[Any], bool], str]]
_CARD: _Rules = {
    "name": (_is_text(_NAME), f"a text of 1 to {_NAME} characters on one line"),
    "version": (_is_whole(1), f"a whole number from 1 to {_MOST}"),
    "category": (_is_text(_SLUG), f"a category's slug of 1 to {_SLUG} characters"),
    "corpus_sha256": (_is_text(_HASH), f"a text of 1 to {_HASH} characters"),
    "recipe": (_is_object, "an object of finite numbers and plain texts"),
    "scores": (_is_object, "an object of finite numbers and plain texts"),
    "sampling": (_is_object, "an object with `topk`, `topp`, `temperature` and `max_tokens`"),
}
_SAMPLING: _Rules = {
    "topk": (_is_whole(0), "a whole number from 0 (all tokens)"),
    "topp": (lambda value: _is_number(0, 1)(value) and value > 0, "a number above 0, at most 1"),
    "temperature": (_is_number(0.1, 5), "a number from 0.1 to 5"),
    "max_tokens": (_is_whole(1, 10_000), "a whole number from 1 to 10,000"),
}
_SERVED: _Rules = {"served": (_is_object, "an object with `start` and `end`")}
_CHOICE: _Rules = {
    "candidates": (_is_whole(1, 1_000), "a whole number from 1 to 1,000"),
    "sharpness": (_is_number(0, 1_000), "a number from 0 to 1,000"),
}


def _check(values: Mapping[str, Any], rules: _Rules, optional: _Rules) -> None:
    for name, (holds, what) in (rules | {name: rule for name, rule in optional.items() if name in values}).items():
        if not holds(values[name]):
            raise ValueError(f"`{name}` must be {what}, not {json.dumps(values[name])[:40]}")


def read_card(folder: Path) -> Card:
    """Read the folder's card.json; raises UnusableModelError."""
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        if not isinstance(card, dict):
            raise ValueError("it must hold an object")
        _check(card, _CARD, _SERVED)
        _check(card["sampling"], _SAMPLING, _CHOICE)
        served = Tokens(**card.get("served", {}))
        return Card(**{name: card[name] for name in Card.__slots__ if name != "served"}, served=served)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unusable(folder / "card.json", error) from error


def read_knowledge(folder: Path) -> Knowledge:
    """Read the folder's hashed sets and length profile; raises UnusableModelError."""
    path = folder
    try:
        path = folder / "words.bin"
        words = HashedSet.from_bytes(path.read_bytes(), WORD_BYTES)
        path = folder / "runs.bin"
        runs = HashedSet.from_bytes(path.read_bytes(), RUN_BYTES)
        path = folder / "profile.json"
        profile = json.loads(path.read_text(encoding="utf-8"))
        return Knowledge(words, runs, LengthProfile(profile["bin"], tuple(profile["probabilities"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unusable(path, error) from error


def read_learned(folder: Path) -> HashedSet | None:
    """Read which tweets a model or a base learned from; None if its folder does not say. Raises UnusableModelError."""
    path = folder / "learned.bin"
    try:
        return HashedSet.from_bytes(path.read_bytes(), RUN_BYTES)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error


def read_judge(folder: Path) -> Judge | None:
    """Read the judge that chooses among a model's texts; None if its folder has none. Raises UnusableModelError."""
    path = folder / "judge.bin"
    try:
        return Judge.from_bytes(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> UnusableModelError:
    if isinstance(error, FileNotFoundError):
        return UnusableModelError(f"{path} is missing: export the model again.")
    what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
    return UnusableModelError(f"{path} can't be used: {what}.")
