"""From the steps' files to a model's card."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from generation.rules import RUN_BYTES, WORD_BYTES, HashedSet, is_copied, made_up_words, run_hashes
from training.rules import render_card
from training.steps.files import read_json, read_texts, write_json, written_aside
from training.steps.recipe import Recipe, knobs


def write_card(*, recipe: Recipe) -> dict[str, Any]:
    """Complete the scores of an exported model with its words, and write card.json and README.md beside it.

    Raises OSError where a step has not run yet.
    """
    corpus_folder, out = Path(recipe.corpus), Path(recipe.out)
    model = out / "model"
    corpus, training = read_json(corpus_folder / "corpus.json"), read_json(out / "tuned" / "training.json")
    known = HashedSet.from_bytes((model / "words.bin").read_bytes(), WORD_BYTES)
    runs = HashedSet.from_bytes((model / "runs.bin").read_bytes(), RUN_BYTES)
    samples, heldout = read_texts(out / "samples.jsonl"), read_texts(corpus_folder / "heldout.jsonl")
    played = HashedSet.of((run for text in heldout for run in run_hashes(text)), RUN_BYTES)
    scores = read_json(out / "scores.json") | {
        "made_up": _share(bool(made_up_words(text, known)) for text in samples),
        "made_up_human": _share(bool(made_up_words(text, known)) for text in heldout),
        "copied": _share(is_copied(text, runs) for text in samples),
        "copied_human": _share(is_copied(text, runs) for text in heldout),
        # What only the base can have seen.
        "copied_heldout": _share(is_copied(text, played) for text in samples),
    }
    card = {
        "name": recipe.name,
        "version": recipe.version,
        "category": recipe.category,
        "base": recipe.base_name,
        "base_sha256": training["base_sha256"],
        "parameters": training["parameters"],
        "corpus_sha256": training["corpus_sha256"],
        "corpus": {key: corpus[key] for key in ("language", "train", "heldout", "authors", "split")},
        "recipe": knobs(recipe),
        "scores": scores,
        "sampling": recipe.sampling,
        "note": recipe.note,
        "trained_at": training["trained_at"],
    }
    write_json(model / "card.json", card)
    with written_aside(model / "README.md") as aside:
        aside.write_text(render_card(card), encoding="utf-8")
    return card


def _share(found: Iterable[bool]) -> float:
    each = list(found)
    return round(sum(each) / len(each), 4)
