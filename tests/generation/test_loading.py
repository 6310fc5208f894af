"""Models in memory: each once, not too many, each run by what its version says."""

import gc
import shutil
import weakref
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from game.pool.models import Category, Kind, Tweet
from generation import loading
from generation.backends.base import UnusableModelError
from generation.backends.ctranslate2 import CTranslate2Backend
from generation.backends.http import HttpBackend
from generation.backends.transformers import TransformersBackend
from generation.batches import create_batch, run_batch
from generation.loading import load_writer
from generation.models import ModelVersion
from generation.versions import register_model
from tests.fakes.completions_server import MODEL, CompletionsServer
from tests.generation.checkpoint import make_checkpoint
from tests.generation.conftest import SHIPPED, copy_model
from tests.generation.test_services import NOW

Register = Callable[..., ModelVersion]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process keep two models, and begin with none."""
    monkeypatch.setattr(loading, "_load", lru_cache(maxsize=2)(loading._load.__wrapped__))


def test_a_process_keeps_as_many_models_as_the_setting_says(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.undo()
    assert loading._load.cache_parameters()["maxsize"] == settings.GENERATION_MODELS == 8


def test_a_model_is_loaded_once(model: ModelVersion) -> None:
    assert load_writer(model) is load_writer(ModelVersion.objects.get(pk=model.pk))


def test_what_is_promoted_is_loaded_without_a_restart(register: Register) -> None:
    first = register()
    before = load_writer(first)
    second = register(version=2)
    assert load_writer(second) is not before
    assert load_writer(first) is before


def test_a_shipped_folder_that_holds_the_next_version_is_loaded_anew(model: ModelVersion, category: Category) -> None:
    before = load_writer(model)
    second = register_again(model, category)
    assert second.path == model.path
    assert load_writer(second) is not before


def register_again(model: ModelVersion, category: Category) -> ModelVersion:
    """Put version 2 into a model's folder, as a newer release of the game does."""
    card = (model.folder / "card.json").read_text()
    (model.folder / "card.json").write_text(card.replace('"version": 1', '"version": 2'))
    return register_model(category=category, folder=model.folder)


def test_the_model_used_longest_ago_makes_room_and_is_freed(register: Register) -> None:
    first, second, third = (register(version=version) for version in (1, 2, 3))
    freed = weakref.ref(load_writer(first).backend)
    kept = weakref.ref(load_writer(second).backend)
    load_writer(third)
    gc.collect()
    assert freed() is None
    assert kept() is load_writer(second).backend


def test_a_folder_that_could_not_be_loaded_is_tried_again(model: ModelVersion) -> None:
    weights = (model.folder / "model.bin").read_bytes()
    (model.folder / "model.bin").write_bytes(b"")
    with pytest.raises(UnusableModelError):
        load_writer(model)
    (model.folder / "model.bin").write_bytes(weights)
    assert isinstance(load_writer(model).backend, CTranslate2Backend)


def to_checkpoint(folder: Path) -> None:
    """Replace CTranslate2's files by a checkpoint."""
    made = make_checkpoint(SHIPPED, folder.parent / f"{folder.name}-checkpoint")
    for name in ("config.json", "model.bin", "vocabulary.json"):
        (folder / name).unlink()
    for name in ("config.json", "model.safetensors", "tokenizer_config.json"):
        shutil.copyfile(made / name, folder / name)


def test_a_batch_is_written_by_torch_where_its_version_says_so(register: Register) -> None:
    model = register(to_checkpoint, runs=loading.Runs("transformers"))
    assert isinstance(load_writer(model).backend, TransformersBackend)
    write_batch(model)


@pytest.mark.parametrize("judged", [True, False])
def test_a_batch_is_written_by_a_server_where_its_version_says_so(register: Register, judged: bool) -> None:
    def spoil(folder: Path) -> None:
        for name in ("model.bin", "config.json", "vocabulary.json", "tokenizer.json", *([] if judged else ["judge.bin"])):
            (folder / name).unlink()

    with CompletionsServer(SHIPPED, echoes=judged) as server:
        model = register(spoil, runs=loading.Runs("http", server.base, MODEL))
        assert isinstance(load_writer(model).backend, HttpBackend)
        write_batch(model)
        assert {bool(request.body.get("echo")) for request in server.requests} == {False, judged}


def write_batch(model: ModelVersion) -> None:
    done = run_batch(batch_id=create_batch(model_version=model, wanted=5).pk, now=NOW)
    assert done is not None
    assert (done.state, done.error, done.kept) == ("done", "", 5)
    assert Tweet.objects.filter(kind=Kind.MACHINE, author=model.author).count() == 5


def test_a_served_models_card_says_how_its_texts_begin_and_end(register: Register) -> None:
    model = register(runs=loading.Runs("http", "http://127.0.0.1:9/v1", MODEL), served={"start": "", "end": "\n"})
    backend = load_writer(model).backend
    assert isinstance(backend, HttpBackend)
    assert (backend.tokens.start, backend.tokens.end) == ("", "\n")


@pytest.mark.parametrize("served", [[], {"begin": ""}, {"start": 1}, "x"])
def test_a_card_that_says_it_wrongly_is_refused(tmp_path: Path, category: Category, served: Any) -> None:
    folder = copy_model(tmp_path / "model", served=served)
    with pytest.raises(UnusableModelError, match=f"^{folder / 'card.json'} can't be used: "):
        register_model(category=category, folder=folder)
