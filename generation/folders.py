"""What a model's folder says about itself: its card, and what it knows of the tweets it learned from."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generation.backends.base import Sampling, Tokens, UnusableModelError
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


def read_card(folder: Path) -> Card:
    """Read the folder's card.json; raises UnusableModelError."""
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        Sampling.of(card["sampling"])
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
