"""A model's folder, loaded: what writes, what it knows, and who judges it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from generation.backends.base import Backend, BackendError, Sampling, UnusableModelError
from generation.backends.ctranslate2 import CTranslate2Backend, check_export
from generation.backends.http import HttpBackend, check_served
from generation.backends.transformers import TransformersBackend, check_checkpoint
from generation.folders import read_card, read_judge, read_knowledge
from generation.judge import Judge
from generation.models import ModelVersion
from generation.rules import Knowledge

# None of their modules imports the library that it needs before a model is loaded.
_LOCAL: dict[str, Callable[[Path, str], Backend]] = {
    ModelVersion.Backend.CTRANSLATE2: CTranslate2Backend,
    ModelVersion.Backend.TRANSFORMERS: TransformersBackend,
}
_NEEDED: dict[str, Callable[[Path], None]] = {
    ModelVersion.Backend.CTRANSLATE2: check_export,
    ModelVersion.Backend.TRANSFORMERS: check_checkpoint,
}


@dataclass(frozen=True, slots=True)
class Runs:
    """What runs a model: a backend of this process, or `http` and the server that it asks."""

    backend: str = ModelVersion.Backend.CTRANSLATE2
    server: str = ""
    served_as: str = ""


BY_CTRANSLATE2 = Runs()


@dataclass(frozen=True, slots=True)
class Writer:
    """A loaded model folder."""

    backend: Backend
    knowledge: Knowledge
    judge: Judge | None = None


def load_writer(model_version: ModelVersion) -> Writer:
    """Load a model version, once a process while it is among the last GENERATION_MODELS in use; raises UnusableModelError.

    A version's folder does not change: what is promoted is another version, and loaded when its first batch comes.
    """
    model = model_version
    return _load(model.pk, Runs(model.backend, model.server, model.served_as), model.folder, settings.GENERATION_DEVICE)


@lru_cache(maxsize=settings.GENERATION_MODELS)
def _load(_pk: int, runs: Runs, folder: Path, device: str) -> Writer:
    return read_writer(folder, device, runs)


def read_writer(folder: Path, device: str, runs: Runs = BY_CTRANSLATE2) -> Writer:
    """Load a model folder; raises UnusableModelError."""
    backend: Backend
    if runs.backend == ModelVersion.Backend.HTTP:
        backend = HttpBackend(runs.server, runs.served_as, read_card(folder).served)
    else:
        backend = _LOCAL[runs.backend](folder, device)
    return Writer(backend, read_knowledge(folder), read_judge(folder))


def check_runnable(folder: Path, runs: Runs) -> None:
    """Look for what is missing without loading a model; raises UnusableModelError."""
    if runs.backend == ModelVersion.Backend.HTTP:
        check_served(runs.server, runs.served_as)
    elif runs.server or runs.served_as:
        raise UnusableModelError(f"A server is for the backend http, not for {runs.backend}.")
    else:
        _NEEDED[runs.backend](folder)
    read_knowledge(folder)
    read_judge(folder)


def try_out(folder: Path, runs: Runs) -> None:
    """Load a model that this machine runs, and draw a token from it; raises UnusableModelError.

    On the CPU, which every machine has. Not for the web process: it loads the backend's library, and takes as long as the model is large.
    """
    card = read_card(folder)
    check_runnable(folder, runs)
    if runs.backend == ModelVersion.Backend.HTTP:
        return
    try:
        backend = _LOCAL[runs.backend](folder, "cpu")
        backend.generate(count=1, sampling=replace(Sampling.of(card.sampling), max_tokens=1))
    except (BackendError, ValueError) as error:
        raise UnusableModelError(f"{folder} holds a model that writes nothing: {error}") from error
