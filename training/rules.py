"""What a corpus and a model look like from outside: pure functions over texts and figures."""

from collections.abc import Iterable
from typing import Any

# Characters in one bin of a length profile.
PROFILE_BIN = 20
# Up to so many authors are named on a model card; of more it tells the number.
NAMED_AUTHORS = 12


def length_profile(lengths: Iterable[int]) -> dict[str, Any]:
    """Return how long tweets are: `probabilities[i]` is the share of PROFILE_BIN·i up to PROFILE_BIN·(i+1) - 1 characters."""
    bins: dict[int, int] = {}
    for length in lengths:
        bins[length // PROFILE_BIN] = bins.get(length // PROFILE_BIN, 0) + 1
    total = sum(bins.values())
    return {"bin": PROFILE_BIN, "probabilities": [round(bins.get(i, 0) / total, 6) for i in range(max(bins, default=-1) + 1)]}


def render_card(card: dict[str, Any]) -> str:
    """Write a model's card for people: Markdown, with the front matter that model hubs read."""
    corpus, scores, recipe = card["corpus"], card["scores"], card["recipe"]
    authors = corpus["authors"]
    writers = ", ".join(sorted(authors)) if len(authors) <= NAMED_AUTHORS else f"{len(authors)} authors"
    sampling = ", ".join(f"{key} {value:g}" for key, value in card["sampling"].items())
    figures = [
        ("bits per byte on held-out tweets", f"{scores['bits_per_byte']:.3f}"),
        ("n-gram detector, AUC (0.5: can't tell from people)", f"{scores['ngram_auc']:.2f}"),
        ("likelihood detector, AUC", f"{scores['likelihood_auc']:.2f}"),
        ("samples with a made-up word (people's held-out tweets)", f"{scores['made_up']:.1%} ({scores['made_up_human']:.1%})"),
        ("samples with eight words in a row from training (people's)", f"{scores['copied']:.1%} ({scores['copied_human']:.1%})"),
        ("samples with eight words in a row from held-out tweets", f"{scores['copied_heldout']:.1%}"),
    ]
    return f"""---
license: mit
language: {corpus["language"]}
pipeline_tag: text-generation
library_name: ctranslate2
---
# {card["name"]}, version {card["version"]}

Writes tweets in the manner of `{card["category"]}` for Bird or Bot, a game in which people guess whether
a person or a machine wrote what they read. {card["parameters"] / 1e6:.1f} M parameters, CTranslate2 {recipe["quantization"]},
trained {card["trained_at"]}.

## Made from

- Base: {card["base"]}, SHA-256 of its weights `{card["base_sha256"]}`.
- Fine-tuned on {corpus["train"]:,} tweets by {writers}: the train split, {corpus["split"]}.
  SHA-256 of `train.jsonl`: `{card["corpus_sha256"]}`.
- Measured on the {corpus["heldout"]:,} tweets of the play split, which fine-tuning never saw.

{card["note"]}

## Measured

| figure | value |
|---|---|
{chr(10).join(f"| {name} | {value} |" for name, value in figures)}

{scores["samples"]:,} samples before any filter, {sampling}; detectors were trained on as many tweets by people as by the
model. How each figure is computed: `docs/training.md`.

## Recipe

| knob | value |
|---|---|
{chr(10).join(f"| {key} | {value} |" for key, value in recipe.items())}

## Use

For the game, where a player learns after each guess that a machine wrote the text, and for research and teaching about
machine text. It imitates real people, and what it writes is not what they said: never pass it off as theirs. It repeats the views, tone
and errors of its corpus, knows nothing that is true today, and may offend.

No tweet is in this folder. `words.bin` and `runs.bin` hold hashes (see `generation/rules.py`), `profile.json` the lengths of the
train split. The tweets belong to their authors; the weights are under the project's licence (MIT).
"""
