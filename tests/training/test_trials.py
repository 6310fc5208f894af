"""Comparing settings of an exported model, and measuring it for good: `manage.py measure_model`."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from shutil import copytree

import pytest
from django.core.management import CommandError, call_command

from training.steps.recipe import Recipe, StepError, write_recipe
from training.trials import with_settings


@pytest.fixture
def path(trained: Recipe, tmp_path: Path) -> Path:
    """Copy the trained model to a folder of its own, and return the path of its recipe."""
    copytree(trained.out, tmp_path / "out")
    write_recipe(tmp_path / "recipe.toml", replace(trained, out=str(tmp_path / "out")))
    return tmp_path / "recipe.toml"


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_settings_are_compared_beside_the_model_and_leave_it_alone(path: Path) -> None:
    out = path.parent / "out"
    before, said = files(out), StringIO()
    call_command("measure_model", str(path), "--try", "temperature=0.9,candidates=3", "--try", "judge_samples=0", stdout=said)
    tries = out / "tries"
    assert {name: data for name, data in files(out).items() if not name.startswith("tries/")} == before
    assert sorted(each.name for each in tries.iterdir()) == ["judge_samples=0", "temperature=0.9-candidates=3"]
    card = json.loads((tries / "temperature=0.9-candidates=3" / "model" / "card.json").read_text())
    assert (card["sampling"]["temperature"], card["sampling"]["candidates"], card["sampling"]["topp"]) == (0.9, 3, 0.95)
    assert not (tries / "judge_samples=0" / "model" / "judge.bin").exists()
    table = said.getvalue().splitlines()
    [row] = [line for line in table[len(table) // 2 :] if "temperature" in line]
    assert f"{card['scores']['served']['ngram_auc']:.3f}" in row


def test_a_model_is_measured_anew_and_has_its_card(path: Path) -> None:
    out = path.parent / "out"
    (out / "samples.jsonl").write_text("")
    call_command("measure_model", str(path), stdout=StringIO())
    card = json.loads((out / "model" / "card.json").read_text())
    assert card["scores"]["raw"]["samples"] == card["scores"]["heldout_tweets"] == 27
    assert (out / "model" / "README.md").exists()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("heat=0.9", "can't try 'heat=0.9': of a trained model these may differ: topk, topp, temperature, "),
        ("epochs=9", "can't try 'epochs=9': of a trained model these may differ: topk, topp, temperature, "),
        ("topk=many", "can't try 'topk=many': invalid literal for int()"),
        ("topp=1.5", "topp=1.5: topp must be more than 0 and up to 1, not 1.5"),
    ],
)
def test_a_mistake_in_settings_is_named_before_anything_is_drawn(trained: Recipe, settings: str, complaint: str) -> None:
    with pytest.raises(StepError) as error:
        with_settings(trained, settings)
    assert str(error.value).startswith(complaint)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda out: (out / "model" / "config.json").unlink(), r"model holds no model: run finetune and export first$"),
        (lambda out: (out / "tuned" / "held_back.jsonl").unlink(), r"No such file or directory: '.*held_back\.jsonl'$"),
    ],
)
def test_what_is_missing_is_one_line(path: Path, spoil: Callable[[Path], None], complaint: str) -> None:
    spoil(path.parent / "out")
    with pytest.raises(CommandError, match=complaint):
        call_command("measure_model", str(path))
