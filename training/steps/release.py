"""Make a trained base ready to be shipped: `python -m training.steps.release RECIPE.toml`.

Writes the folder release/: float16 weights in files that a repository takes, what the corpus's words
and fingerprints are (as hashes), and a card whose figures are measured on these very weights.
"""

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import logging as transformers_logging

from training.steps.base_models import Base, load_base, weights_sha256
from training.steps.files import read_json, read_texts, run_step, write_json, written_aside
from training.steps.packing import encode
from training.steps.recipe import Recipe, StepError, knobs

LARGEST_FILE = "18MB"
FROM_CORPUS = ("words.bin", "learned.bin")


@torch.no_grad()
def bits_per_byte(base: Base, texts: list[str], block: int) -> float:
    """Measure bits to write the texts down, each read alone, ends included, over their bytes in UTF-8; StepError if one is too long."""
    nats = 0.0
    for tokens in encode(texts, base.text_tokenizer, base.start, base.end, block + 1):
        if len(tokens) > block:
            raise StepError(f"a held-back text is longer than {block} tokens: its bits can't be counted whole")
        ids = torch.tensor([tokens])
        nats += cross_entropy(base.model(input_ids=ids[:, :-1]).logits[0], ids[0, 1:], reduction="sum").item()
    return nats / math.log(2) / sum(len(text.encode()) for text in texts)


def release(recipe: Recipe) -> None:
    transformers_logging.disable_progress_bar()
    out, corpus_folder = Path(recipe.out), Path(recipe.corpus)
    for path in (out / "tuned" / "training.json", *(corpus_folder / name for name in FROM_CORPUS)):
        if not path.exists():
            raise StepError(f"{path} is missing: run export_base_corpus, scratch and finetune first")
    corpus, training = read_json(corpus_folder / "corpus.json"), read_json(out / "tuned" / "training.json")
    with written_aside(out / "release") as folder:
        trained = load_base(replace(recipe, base=str(out / "tuned")))
        trained.model.half().save_pretrained(folder, max_shard_size=LARGEST_FILE)
        trained.tokenizer.save_pretrained(folder)
        for name in FROM_CORPUS:
            shutil.copyfile(corpus_folder / name, folder / name)
        released = load_base(replace(recipe, base=str(folder)))
        released.model.eval()
        card = {
            "name": recipe.name,
            "version": recipe.version,
            "weights_sha256": weights_sha256(released.model),
            "shape": {key: getattr(recipe, key) for key in ("layers", "heads", "width", "block", "vocabulary")},
            "parameters": training["parameters"],
            "corpus": corpus,
            "trained_on": corpus["train"] - training["held_back_tweets"],
            "held_back_tweets": training["held_back_tweets"],
            "held_back_bits_per_byte": round(bits_per_byte(released, read_texts(out / "tuned" / "held_back.jsonl"), recipe.block), 4),
            "steps": training["steps"],
            "tokens": training["tokens"],
            "seconds": training["seconds"],
            "recipe": knobs(recipe),
            "note": recipe.note,
            "trained_at": training["trained_at"],
        }
        write_json(folder / "card.json", card)
        (folder / "README.md").write_text(render(card), encoding="utf-8")
    size = sum(path.stat().st_size for path in (out / "release").iterdir())
    print(f"released: {out / 'release'}, {size / 1e6:.1f} MB, {card['held_back_bits_per_byte']:.4f} bits per byte")


def render(card: dict[str, Any]) -> str:
    """Write the card of a base for people: Markdown, with the front matter that model hubs read."""
    corpus, shape = card["corpus"], card["shape"]
    return f"""---
license: mit
language: {corpus["language"]}
pipeline_tag: text-generation
library_name: transformers
---
# {card["name"]}, version {card["version"]}

The small base that Bird or Bot fine-tunes to a category's tweets. GPT-2, {card["parameters"] / 1e6:.1f} M parameters:
{shape["layers"]} layers, {shape["heads"]} heads, {shape["width"]} wide, {shape["block"]} positions,
tied embeddings, {shape["vocabulary"]:,} byte-level BPE tokens, float16. Special tokens
`<|startoftweet|>`, `<|endoftweet|>` and `<|pad|>`. Trained {card["trained_at"]} from random weights, in {card["seconds"] / 60:.0f} minutes.

## Made from

{corpus["train"]:,} tweets, {corpus["split"]}:
{card["trained_on"]:,} to learn from, {card["held_back_tweets"]:,} taken out at random to measure.
SHA-256 of `train.jsonl`: `{corpus["sha256"]}`; of the weights in float32, by name: `{card["weights_sha256"]}`.

{card["note"]}

## Measured

**{card["held_back_bits_per_byte"]:.3f} bits per byte** on the {card["held_back_tweets"]:,} tweets held back:
each read alone, its end token counted, over the bytes of its text in UTF-8. {card["steps"]:,} steps, {card["tokens"] / 1e6:.1f} M tokens.

## Recipe

| knob | value |
|---|---|
{chr(10).join(f"| {key} | {value} |" for key, value in card["recipe"].items())}

## Use

To be fine-tuned, for games, teaching and research about machine text. By itself it writes tweets of no one in particular; it repeats
the views, tone and errors of its corpus, knows nothing that is true today, and may offend.

No tweet is in this folder: `words.bin` and `learned.bin` hold hashes. The tweets belong to their authors; the weights are under the
project's licence (MIT).
"""


if __name__ == "__main__":
    run_step(release)
