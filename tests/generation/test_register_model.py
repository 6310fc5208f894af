"""`manage.py register_model`: models of any backend, and one line for whatever is wrong."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from game.pool.models import Author, Category
from generation.models import ModelVersion
from tests.generation.conftest import copy_model

SERVER = ("--backend", "http", "--server", "http://127.0.0.1:8111/v1", "--served-as", "tweets")


@pytest.fixture
def folder(category: Category, tmp_path: Path) -> Path:
    return copy_model(tmp_path / "model")


def command(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    call_command("register_model", *arguments)
    return capsys.readouterr().out


def complaint(*arguments: Any) -> str:
    with pytest.raises(CommandError) as error:
        call_command("register_model", *arguments)
    assert "\n" not in str(error.value)
    assert not ModelVersion.objects.exists()
    assert not Author.objects.exists()
    return str(error.value)


def test_a_model_is_registered_as_a_candidate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(capsys, "starlings", folder) == "tiny v1 (ctranslate2) is registered for starlings: candidate.\n"
    model = ModelVersion.objects.get()
    assert (model.state, model.backend, model.server, model.served_as) == ("candidate", "ctranslate2", "", "")


def test_a_served_model_needs_no_weights_here(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.json"):
        (folder / name).unlink()
    said = command(capsys, "starlings", folder, *SERVER, "--promote")
    assert said == "tiny v1 (http) is registered for starlings: active.\n"
    model = ModelVersion.objects.get()
    assert (model.backend, model.server, model.served_as) == ("http", "http://127.0.0.1:8111/v1", "tweets")
    assert [event.reason for event in model.events.all()] == ["registered by a command"]


def test_a_server_that_moved_is_said_by_registering_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(capsys, "starlings", folder, *SERVER, "--promote")
    moved = [argument.replace("8111", "8112") for argument in SERVER]
    assert command(capsys, "starlings", folder, *moved, "--promote") == "tiny v1 (http) is registered for starlings: active.\n"
    assert ModelVersion.objects.get().server == "http://127.0.0.1:8112/v1"


def test_a_version_does_not_change_its_backend(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(capsys, "starlings", folder)
    with pytest.raises(CommandError) as error:
        call_command("register_model", "starlings", folder, *SERVER)
    assert str(error.value) == "tiny v1 is registered already, with the backend ctranslate2: give the card another version."
    assert ModelVersion.objects.get().backend == "ctranslate2"


def test_what_is_wrong_is_one_line(folder: Path) -> None:
    assert complaint("owls", folder) == "No category 'owls'."
    assert complaint("starlings", folder / "nowhere") == f"{folder / 'nowhere' / 'card.json'} is missing: export the model again."
    assert complaint("starlings", folder, "--backend", "http") == (
        "'' is no server: use http:// or https://, a host, and a path that ends in /v1."
    )
    assert complaint("starlings", folder, *SERVER[:4]) == (
        "What http://127.0.0.1:8111/v1 calls the model is not known: say it with --served-as."
    )
    assert complaint("starlings", folder, *SERVER[2:]) == "A server is for the backend http, not for ctranslate2."
    assert complaint("starlings", folder, "--backend", "transformers") == (
        f"{folder / 'model.safetensors'} is missing: save the model with safe_serialization."
    )
    with pytest.raises(CommandError, match="invalid choice: 'abacus'"):
        call_command("register_model", "starlings", str(folder), "--backend", "abacus")


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "words.bin", "runs.bin", "profile.json"])
def test_what_a_folder_lacks_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert complaint("starlings", folder) == f"{folder / name} is missing: export the model again."


def test_a_model_of_another_category_is_refused(folder: Path) -> None:
    Category.objects.create(slug="owls", name="Owls")
    assert complaint("owls", folder) == f"{folder} is a model of starlings, not of owls."


def test_registering_loads_no_library(folder: Path) -> None:
    code = (
        "import django, sys; django.setup(); from pathlib import Path; from generation.loading import Runs, check_runnable;"
        f"check_runnable(Path({str(folder)!r}), Runs()); check_runnable(Path({str(folder)!r}), Runs('http', 'http://a/v1', 'x'));"
        "print({'torch', 'transformers', 'ctranslate2', 'tokenizers'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
