import subprocess
import sys
from pathlib import Path

import pytest

from training.steps.recipe import StepError, knobs, load_recipe

WHOLE = 'name = "n"\ncategory = "c"\nbase = "b"\nbase_name = "bn"\ncorpus = "co"\nout = "o"\n'
RECIPES = Path(__file__).parents[3] / "training" / "recipes"


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_a_recipe_leaves_out_has_its_default(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, WHOLE + "temperature = 1\nepochs = 5\n"))
    assert (recipe.epochs, recipe.rate, recipe.topk) == (5, 3e-4, 200)
    assert repr(recipe.temperature) == "1.0"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (WHOLE + "epoch = 5\n", "unknown key 'epoch'; known are name, version, category"),
        (WHOLE + 'epochs = "5"\n', "epochs must be of type int, not '5'"),
        (WHOLE + "epochs = true\n", "epochs must be of type int, not True"),
        (WHOLE.replace('category = "c"\n', "").replace('out = "o"\n', ""), "missing key category, out"),
        (WHOLE + "epochs = \n", "Invalid value (at line 7, column 10)"),
    ],
)
def test_a_mistake_in_a_recipe_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(StepError) as error:
        load_recipe(path)
    assert str(error.value).startswith(f"{path}: {complaint}")


def test_a_step_says_in_one_line_what_is_wrong_and_exits_1(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE + "epoch = 5\n")
    done = subprocess.run([sys.executable, "-m", "training.steps.evaluate", path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"{path}: unknown key 'epoch'; known are ")
    assert done.stderr.count("\n") == 1


def test_where_files_lie_is_no_knob(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, WHOLE))
    assert {"base", "corpus", "out", "device", "name"}.isdisjoint(knobs(recipe))
    assert knobs(recipe)["epochs"] == 3


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_committed_recipes_load_and_are_named_after_their_category(path: Path) -> None:
    assert load_recipe(path).category == path.stem
