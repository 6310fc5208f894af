"""From the steps' files to a model's card."""

from pathlib import Path
from typing import Any

from training.measuring import count_words
from training.rules import render_card
from training.steps.files import read_json, write_json, written_aside
from training.steps.recipe import Recipe, knobs


def write_card(*, recipe: Recipe) -> dict[str, Any]:
    """Complete the scores of an exported model with its words, and write card.json and README.md beside it.

    Raises OSError where a step has not run yet.
    """
    corpus_folder, out = Path(recipe.corpus), Path(recipe.out)
    model = out / "model"
    corpus, training = read_json(corpus_folder / "corpus.json"), read_json(out / "tuned" / "training.json")
    scores = read_json(out / "scores.json")
    for kind, shares in count_words(recipe=recipe).items():
        scores[kind] |= shares
    card = {
        "name": recipe.name,
        "version": recipe.version,
        "category": recipe.category,
        "base": recipe.base_name or recipe.base,
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
