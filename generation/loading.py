"""A model's folder, loaded: what writes, what it knows, and who judges it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from generation.backends.base import Backend
from generation.backends.ctranslate2 import CTranslate2Backend
from generation.folders import read_judge, read_knowledge
from generation.judge import Judge
from generation.rules import Knowledge

_BACKENDS: dict[str, Callable[[Path, str], Backend]] = {"ctranslate2": CTranslate2Backend}


@dataclass(frozen=True, slots=True)
class Writer:
    """A loaded model folder."""

    backend: Backend
    knowledge: Knowledge
    judge: Judge | None = None


def read_writer(backend: str, folder: Path, device: str) -> Writer:
    """Load a model folder; raises UnusableModelError."""
    return Writer(_BACKENDS[backend](folder, device), read_knowledge(folder), read_judge(folder))


# Once a process.
load_writer = lru_cache(maxsize=4)(read_writer)
