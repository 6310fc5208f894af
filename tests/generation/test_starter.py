"""The shipped models."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from generation.folders import read_card, read_knowledge
from generation.rules import made_up_words, word_hash
from generation.versions import STARTER
from training.steps.recipe import knobs, load_recipe

FOLDERS = sorted(path for path in STARTER.iterdir() if path.is_dir())
RECIPES = Path(__file__).parents[2] / "training" / "recipes"
shipped = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def test_both_starter_categories_have_a_model() -> None:
    assert [folder.name for folder in FOLDERS] == ["donald-trump", "hillary-clinton"]


@shipped
def test_it_loads_and_ends_its_tweets(folder: Path) -> None:
    import ctranslate2

    card = read_card(folder)
    generator = ctranslate2.Generator(str(folder), device="cpu")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    results = generator.generate_batch(
        [["<|startoftweet|>"]] * 16,
        max_length=card.sampling["max_tokens"],
        include_prompt_in_result=False,
        return_end_token=True,
        sampling_topk=card.sampling["topk"],
        sampling_topp=card.sampling["topp"],
        sampling_temperature=card.sampling["temperature"],
    )
    finished = [result.sequences_ids[0] for result in results if result.sequences[0][-1] == "<|endoftweet|>"]
    texts = tokenizer.decode_batch(finished)
    assert len(texts) >= 14
    assert len(set(texts)) >= 12
    knowledge = read_knowledge(folder)
    assert sum(not made_up_words(text, knowledge.words) for text in texts) >= 2


@shipped
def test_every_file_stays_small(folder: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert max(sizes.values()) < 20_000_000
    assert sum(sizes.values()) < 16_000_000


@shipped
def test_its_card_is_complete_and_of_the_committed_recipe(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    recipe = load_recipe(RECIPES / f"{folder.name}.toml")
    assert (card["name"], card["version"], card["category"]) == (recipe.name, recipe.version, folder.name)
    assert card["recipe"] == knobs(recipe)
    assert card["sampling"] == recipe.sampling
    assert card["note"] == recipe.note
    assert card["parameters"] == 13_842_432
    assert len(bytes.fromhex(card["corpus_sha256"])) == 32
    assert card["corpus"]["train"] > card["corpus"]["heldout"] > 900
    scores = card["scores"]
    # The base alone has 1.68 on its own held-out tweets.
    assert 1.2 < scores["bits_per_byte"] < 1.5
    assert f"{scores['bits_per_byte']:.3f}" in (folder / "README.md").read_text(encoding="utf-8")


@shipped
def test_what_it_serves_is_as_hard_to_tell_as_its_card_must_say(folder: Path) -> None:
    scores = json.loads((folder / "card.json").read_text(encoding="utf-8"))["scores"]
    served, human = scores["served"], scores["human"]
    assert served["samples"] == human["samples"] > 900
    assert served["ngram_auc"] <= 0.70
    assert 0.40 <= served["likelihood_auc"] <= 0.65
    assert served["made_up"] <= human["made_up"] + 0.02
    assert served["copied"] == 0
    assert max(served["features"].values()) <= 0.58


@shipped
def test_its_words_are_those_of_the_corpora(folder: Path) -> None:
    words = read_knowledge(folder).words
    assert all(word_hash(word) in words for word in ("america", "hillary", "@realdonaldtrump", "don't"))
    assert word_hash("plurmige") not in words
    assert len(words) > 50_000
