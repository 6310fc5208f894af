"""`manage.py register_model`: models of any backend, and one line for whatever is wrong."""

import json
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


def rewrite(path: Path, changes: dict[str, Any]) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


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


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, '`name` must be a text of 1 to 80 characters on one line, not ""'),
        ({"name": "x" * 81}, f'`name` must be a text of 1 to 80 characters on one line, not "{"x" * 39}'),
        ({"name": "two\nlines"}, '`name` must be a text of 1 to 80 characters on one line, not "two\\nlines"'),
        *(
            ({"version": version}, f"`version` must be a whole number from 1 to 2147483647, not {shown}")
            for version, shown in ((0, "0"), (True, "true"), ("2", '"2"'), (1.5, "1.5"), (2**31, "2147483648"))
        ),
        ({"category": None}, "`category` must be a category's slug of 1 to 50 characters, not null"),
        ({"corpus_sha256": "f" * 65}, f'`corpus_sha256` must be a text of 1 to 64 characters, not "{"f" * 39}'),
        ({"recipe": None}, "`recipe` must be an object of finite numbers and plain texts, not null"),
        ({"recipe": {"note": "\0"}}, '`recipe` must be an object of finite numbers and plain texts, not {"note": "\\u0000"}'),
        ({"recipe": {"\ud800": 1}}, '`recipe` must be an object of finite numbers and plain texts, not {"\\ud800": 1}'),
        ({"scores": [1]}, "`scores` must be an object of finite numbers and plain texts, not [1]"),
        ({"scores": {"bits": [float("nan")]}}, '`scores` must be an object of finite numbers and plain texts, not {"bits": [NaN]}'),
        ({"sampling": []}, "`sampling` must be an object with `topk`, `topp`, `temperature` and `max_tokens`, not []"),
        ({"served": None}, "`served` must be an object with `start` and `end`, not null"),
    ],
)
def test_a_card_that_the_game_can_not_keep_is_one_line(folder: Path, wrong: dict[str, Any], said: str) -> None:
    rewrite(folder / "card.json", wrong)
    assert complaint("starlings", folder) == f"{folder / 'card.json'} can't be used: {said}."


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("temperature", 0.09, "a number from 0.1 to 5, not 0.09"),
        ("temperature", 5.1, "a number from 0.1 to 5, not 5.1"),
        ("temperature", "1", 'a number from 0.1 to 5, not "1"'),
        ("temperature", True, "a number from 0.1 to 5, not true"),
        ("topp", 0, "a number above 0, at most 1, not 0"),
        ("topk", -1, "a whole number from 0 (all tokens), not -1"),
        ("max_tokens", 10_001, "a whole number from 1 to 10,000, not 10001"),
        ("candidates", 0, "a whole number from 1 to 1,000, not 0"),
        ("sharpness", -1, "a number from 0 to 1,000, not -1"),
    ],
)
def test_a_setting_that_makes_no_sense_is_one_line(folder: Path, name: str, value: object, said: str) -> None:
    sampling = json.loads((folder / "card.json").read_text())["sampling"]
    rewrite(folder / "card.json", {"sampling": sampling | {name: value}})
    assert complaint("starlings", folder) == f"{folder / 'card.json'} can't be used: `{name}` must be {said}."


def test_a_card_that_is_no_object_is_one_line(folder: Path) -> None:
    (folder / "card.json").write_text("[]")
    assert complaint("starlings", folder) == f"{folder / 'card.json'} can't be used: it must hold an object."


def test_weights_that_are_cut_are_one_line(folder: Path) -> None:
    weights = folder / "model.bin"
    weights.write_bytes(weights.read_bytes()[:-50])
    said = complaint("starlings", folder)
    assert said.startswith(f"{folder} holds no model that can be loaded on cpu: File model.bin is incomplete")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("tokenizer.json", "{}", "/tokenizer.json holds no tokenizer (Model missing. at line 1 column 2): export the model again."),
        ("config.json", "[]", " holds no model that can be loaded on cpu: "),
        ("vocabulary.json", "[]", " holds a model that writes nothing: "),
    ],
)
def test_other_spoilt_files_are_one_line(folder: Path, name: str, text: str, said: str) -> None:
    (folder / name).write_text(text)
    assert complaint("starlings", folder).startswith(f"{folder}{said}")


def test_an_end_that_the_tokenizer_does_not_know_is_one_line(folder: Path) -> None:
    rewrite(folder / "config.json", {"eos_token": "<|over|>"})
    assert complaint("starlings", folder) == (
        f"{folder / 'tokenizer.json'} lacks the token '<|over|>' that ends a text: export the model again."
    )
