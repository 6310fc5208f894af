"""The 124 M shape of GPT-2, with random weights: what `--base gpt2` asks of a machine."""

import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tests.training.conftest import TRAIN
from training.steps.files import read_json
from training.steps.recipe import Recipe, write_recipe

MAKE = """
import sys
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel
source, folder = sys.argv[1:]
GPT2LMHeadModel(GPT2Config(bos_token_id=0, eos_token_id=1)).save_pretrained(folder)
tokenizer = AutoTokenizer.from_pretrained(source)
tokenizer.add_tokens([f"<|{number}|>" for number in range(50257 - len(tokenizer))])
tokenizer.save_pretrained(folder)
"""


def test_one_step_of_the_124_m_shape_fits_in_memory_and_is_exported(recipe: Recipe, base: Path, corpus: Path, tmp_path: Path) -> None:
    big = tmp_path / "big"
    subprocess.run([sys.executable, "-c", MAKE, base, big], check=True, capture_output=True)
    few = shutil.copytree(corpus, tmp_path / "corpus")
    (few / "train.jsonl").write_text("".join(f'{{"text": "{text}"}}\n' for text in TRAIN[:12]), encoding="utf-8")
    run = replace(recipe, base=str(big), corpus=str(few), out=str(tmp_path), block=64, batch=8, epochs=1, checks=1, max_tokens=4)
    write_recipe(tmp_path / "recipe.toml", run)
    for step in ("finetune", "export"):
        done = subprocess.run(
            [sys.executable, "-m", f"training.steps.{step}", tmp_path / "recipe.toml"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    training = read_json(tmp_path / "tuned" / "training.json")
    assert (training["steps"], training["parameters"]) == (1, 124_439_808)
    # Weights, gradients and Adam's two moments in float32 are 2.0 GB.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    assert peak < 6e9
    assert 120e6 < (tmp_path / "model" / "model.bin").stat().st_size < 180e6
