"""Convert a fine-tuned model to what the game runs: `python -m training.steps.export RECIPE.toml`.

CTranslate2 generates from it without torch.
"""

import shutil
from pathlib import Path

from ctranslate2.converters import TransformersConverter
from transformers import logging as transformers_logging

from training.steps.files import run_step, written_aside
from training.steps.recipe import Recipe, StepError

# What the corpus says about the category's words and lengths, and the filters need; and what the model learned, for withdrawals.
FROM_CORPUS = ("words.bin", "runs.bin", "learned.bin", "profile.json")


def export(recipe: Recipe) -> None:
    transformers_logging.disable_progress_bar()
    tuned, corpus, model = Path(recipe.out) / "tuned", Path(recipe.corpus), Path(recipe.out) / "model"
    needed = [tuned / "tokenizer.json", *(corpus / name for name in FROM_CORPUS)]
    for path in needed:
        if not path.exists():
            raise StepError(f"{path} is missing: run export_corpus and finetune first")
    with written_aside(model) as folder:
        try:
            TransformersConverter(str(tuned)).convert(str(folder), quantization=recipe.quantization)
        except ValueError as error:  # an architecture or a vocabulary that it does not know
            raise StepError(f"CTranslate2 can't run this kind of model: {error}") from error
        for path in needed:
            shutil.copyfile(path, folder / path.name)
    size = sum(path.stat().st_size for path in model.iterdir())
    print(f"exported: {model}, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_step(export)
