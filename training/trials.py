"""An exported model measured from first sample to card, with its recipe's settings or, aside, with others."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.cards import write_card
from training.measuring import Report, draw_samples, draw_served, silent, write_features
from training.steps.recipe import Recipe, StepError, make_recipe, write_recipe

# What may differ without training the model anew.
SETTINGS = ("topk", "topp", "temperature", "max_tokens", "candidates", "sharpness", "judge_samples", "judge_trust")


@dataclass(frozen=True)
class Measured:
    """A model's card, and how many samples it took for each text that is served."""

    card: Mapping[str, Any]
    samples_per_text: float


def measure(*, recipe: Recipe, report: Report = silent) -> Measured:
    """Measure the exported model in `recipe.out`, whatever was measured of it before, and write its card.

    Raises StepError, UnusableModelError, BackendError, OSError.
    """
    out = Path(recipe.out)
    if not (out / "model" / "config.json").exists():
        raise StepError(f"{out / 'model'} holds no model: run finetune and export first")
    write_recipe(out / "recipe.toml", recipe)
    (out / "model" / "judge.bin").unlink(missing_ok=True)
    draw_samples(recipe=recipe, report=report)
    if recipe.judge_samples:
        write_features(recipe=recipe)
        _run_step("judge", out / "recipe.toml")
    made = draw_served(recipe=recipe, report=report)
    _run_step("evaluate", out / "recipe.toml")
    card = write_card(recipe=recipe)
    return Measured(card, made / card["scores"]["served"]["samples"])


def with_settings(recipe: Recipe, settings: str) -> Recipe:
    """Return the recipe with settings as `temperature=0.9,topk=0`, and a folder of its own; raises StepError."""
    values: dict[str, Any] = {}
    for setting in settings.split(","):
        key, _, value = setting.partition("=")
        if key not in SETTINGS:
            raise StepError(f"can't try {setting!r}: of a trained model these may differ: {', '.join(SETTINGS)}")
        try:
            values[key] = type(getattr(recipe, key))(value)
        except ValueError as error:
            raise StepError(f"can't try {setting!r}: {error}") from error
    out = Path(recipe.out) / "tries" / re.sub(r"[^\w.=]+", "-", settings)
    return make_recipe(asdict(recipe) | values | {"out": str(out)}, settings)


def try_settings(*, recipe: Recipe, settings: str, report: Report = silent) -> Measured:
    """Measure the model with other settings, in `tries` beside it: what the game loads stays as it is.

    Raises StepError, UnusableModelError, BackendError, OSError.
    """
    tried, out = with_settings(recipe, settings), Path(recipe.out)
    folder = Path(tried.out)
    for part in ("model", "tuned"):
        shutil.rmtree(folder / part, ignore_errors=True)
    shutil.copytree(out / "model", folder / "model")
    (folder / "tuned").mkdir()
    for name in ("held_back.jsonl", "training.json"):
        shutil.copyfile(out / "tuned" / name, folder / "tuned" / name)
    return measure(recipe=tried, report=report)


def _run_step(name: str, path: Path) -> None:
    step = subprocess.run([sys.executable, "-m", f"training.steps.{name}", str(path)], capture_output=True, text=True, check=False)
    if step.returncode:
        raise StepError((step.stderr.strip().splitlines() or [f"the step {name} died"])[-1])
