"""train.speed: our fine-tuning against a bare PyTorch loop over the same blocks."""

import json
import random
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from string import ascii_lowercase
from typing import TYPE_CHECKING

from bench.report import Row
from bench.timing import interleave
from training.steps.files import write_json, write_texts
from training.steps.recipe import Recipe

if TYPE_CHECKING:
    from training.steps.base_models import Base
    from training.steps.packing import Block

# The shape and the batch of the shipped models; texts are random, their length is that of tweets.
TWEETS = 700
WORDS = 14


def measure() -> list[Row]:
    """Train a GPT-2 of 13.8 M parameters for a few steps, one way and the other, in turns."""
    with tempfile.TemporaryDirectory(prefix="birdorbot-bench-train-") as folder:
        recipe = _prepare(Path(folder))
        steps = interleave({"ours": lambda: _ours(recipe), "bare": lambda: _bare(recipe)}, turns=3, warm_up=1)
    ratio = steps["bare"] / steps["ours"]
    note = f"a step of {recipe.batch} x {recipe.block} tokens in {recipe.precision}: ours {steps['ours']:.2f} s, bare {steps['bare']:.2f} s"
    return [Row("train.speed", round(ratio, 2), 0.9, "ratio", note, least=True)]


def _prepare(folder: Path) -> Recipe:
    from training.steps.scratch import scratch

    rng = random.Random(1)
    words = ["".join(rng.choices(ascii_lowercase, k=rng.randint(2, 7))) for _ in range(8000)]
    corpus = folder / "corpus"
    write_texts(corpus / "train.jsonl", [" ".join(rng.choices(words, k=WORDS)) for _ in range(TWEETS)])
    write_json(corpus / "corpus.json", {"category": "bench", "sha256": ""})
    recipe = Recipe(
        name="bench", category="bench", base=str(folder / "begun"), corpus=str(corpus), out=str(folder / "out"), device="cpu",
        epochs=1, checks=1, max_tokens=1,
    )  # fmt: skip
    scratch(recipe)
    return recipe


def _ours(recipe: Recipe) -> float:
    """Return the seconds of a step: the median over a whole run of the real thing, which writes a line after each."""
    from training.steps.finetune import finetune

    finetune(recipe)
    lines = (Path(recipe.out) / "progress.jsonl").read_text(encoding="utf-8").splitlines()
    ends = [entry["seconds"] for entry in map(json.loads, lines) if "train_loss" in entry]
    return median(later - earlier for earlier, later in pairwise(ends))


def _bare(recipe: Recipe) -> float:
    """Return the seconds of a step of a loop without Trainer, schedule, checks, logs or checkpoints."""
    import torch

    from training.steps.base_models import load_base
    from training.steps.packing import collate

    base = load_base(recipe, attention="eager")
    optimizer = torch.optim.AdamW(base.model.parameters(), lr=recipe.rate, fused=True)
    seconds = []
    base.model.train()
    for blocks in _batches(base, recipe):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
            loss = base.model(**collate(blocks, block=recipe.block, filler=base.end), use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(base.model.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - start)
    return median(seconds[1:])


def _batches(base: "Base", recipe: Recipe) -> "list[list[Block]]":
    from training.steps.files import read_texts
    from training.steps.packing import blocks_of_all_epochs, encode, hold_back

    texts, _ = hold_back(read_texts(Path(recipe.corpus) / "train.jsonl"), recipe)
    blocks = blocks_of_all_epochs(encode(texts, base.text_tokenizer, base.start, base.end, recipe.block), recipe, packed=True)
    return [blocks[at : at + recipe.batch] for at in range(0, len(blocks), recipe.batch)]
