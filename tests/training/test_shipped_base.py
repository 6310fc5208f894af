"""The base in the repository, and that the shipped models come from it."""

import json
from pathlib import Path
from typing import Any

import pytest

from generation.rules import RUN_BYTES, WORD_BYTES, HashedSet, word_hash
from generation.versions import STARTER, STARTER_BASE
from training.steps.recipe import Recipe, knobs, load_recipe

RECIPES = Path(__file__).parents[2] / "training" / "recipes"


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((STARTER_BASE / "card.json").read_text(encoding="utf-8"))
    return found


def test_its_weights_are_those_of_its_card_and_load_by_the_name_of_starter(card: dict[str, Any]) -> None:
    from training.steps.base_models import load_base, weights_sha256

    base = load_base(Recipe(name="n", category="c", corpus="", out=""))
    assert weights_sha256(base.model) == card["weights_sha256"]
    assert base.model.num_parameters() == card["parameters"]
    assert (base.tokenizer.decode([base.start]), base.tokenizer.decode([base.end])) == ("<|startoftweet|>", "<|endoftweet|>")


@pytest.mark.parametrize("slug", ["donald-trump", "hillary-clinton"])
def test_the_shipped_models_were_made_from_it(card: dict[str, Any], slug: str) -> None:
    model = json.loads((STARTER / slug / "card.json").read_text(encoding="utf-8"))
    assert model["base_sha256"] == card["weights_sha256"]
    # What the base knows for words, its models know.
    base, own = (HashedSet.from_bytes((folder / "words.bin").read_bytes(), WORD_BYTES) for folder in (STARTER_BASE, STARTER / slug))
    assert set(base.hashes) < set(own.hashes)
    assert word_hash("tomorrow") in base


def test_its_card_is_of_the_committed_recipe(card: dict[str, Any]) -> None:
    recipe = load_recipe(RECIPES / "base.toml")
    assert card["recipe"] == knobs(recipe)
    assert card["note"] == recipe.note


def test_every_file_stays_small_and_no_tweet_is_among_them(card: dict[str, Any]) -> None:
    sizes = {path.name: path.stat().st_size for path in STARTER_BASE.iterdir()}
    assert max(sizes.values()) < 20_000_000
    assert {path.suffix for path in STARTER_BASE.iterdir()} == {".json", ".safetensors", ".bin", ".md"}
    learned = HashedSet.from_bytes((STARTER_BASE / "learned.bin").read_bytes(), RUN_BYTES)
    assert len(learned) == card["corpus"]["train"]
