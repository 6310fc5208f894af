"""A category with a real model: the shipped one of Donald Trump, registered under a name of the tests' own."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from game.pool.models import Category
from generation import batches, versions
from generation.loading import BY_CTRANSLATE2, Runs
from generation.models import Batch, ModelVersion
from generation.versions import STARTER

SHIPPED = STARTER / "donald-trump"


def copy_model(folder: Path, **card: Any) -> Path:
    """Make `folder` a copy of the shipped model whose card says `card`."""
    shutil.copytree(SHIPPED, folder)
    shipped = json.loads((folder / "card.json").read_text())
    shipped["sampling"]["candidates"] = 2  # fewer samples for each text: enough to have a choice
    (folder / "card.json").write_text(json.dumps(shipped | {"category": "starlings", "name": "tiny", "version": 1} | card))
    return folder


@pytest.fixture
def category(db: None) -> Category:
    return Category.objects.create(slug="starlings", name="Starlings")


@pytest.fixture
def register(category: Category, tmp_path: Path) -> Callable[..., ModelVersion]:
    """Return a function that registers and promotes a copy of the shipped model, changed by `spoil(folder)` and by what its card says."""

    def make(spoil: Callable[[Path], object] = lambda folder: None, runs: Runs = BY_CTRANSLATE2, **card: Any) -> ModelVersion:
        folder = copy_model(tmp_path / f"model-{ModelVersion.objects.count()}", **card)
        spoil(folder)
        return versions.promote_model(model_version=versions.register_model(category=category, folder=folder, runs=runs), by=None)

    return make


@pytest.fixture
def model(register: Callable[..., ModelVersion]) -> ModelVersion:
    return register()


@pytest.fixture
def batch(model: ModelVersion) -> Batch:
    return batches.create_batch(model_version=model, wanted=20)
