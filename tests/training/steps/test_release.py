"""A trained base made ready to be shipped."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.conftest import TRAIN
from training.steps.files import read_json, read_texts
from training.steps.recipe import Recipe, StepError


def test_a_release_can_be_trained_on_and_its_card_measures_it(trained: Recipe, tmp_path: Path) -> None:
    from training.steps.base_models import load_base, weights_sha256
    from training.steps.release import bits_per_byte, release

    (tmp_path / "tuned").symlink_to(Path(trained.out) / "tuned")
    release(replace(trained, out=str(tmp_path)))
    folder = tmp_path / "release"
    card = read_json(folder / "card.json")
    base = load_base(replace(trained, base=str(folder)))
    assert card["weights_sha256"] == weights_sha256(base.model)
    held_back = read_texts(Path(trained.out) / "tuned" / "held_back.jsonl")
    assert card["held_back_bits_per_byte"] == pytest.approx(bits_per_byte(base, held_back, trained.block), abs=1e-4)
    # The same as measured in training, but for bfloat16 there and float16 here.
    training = read_json(Path(trained.out) / "tuned" / "training.json")
    assert card["held_back_bits_per_byte"] == pytest.approx(training["held_back_bits_per_byte"], rel=0.02)
    assert card["trained_on"] + card["held_back_tweets"] == len(TRAIN)
    assert f"**{card['held_back_bits_per_byte']:.3f} bits per byte**" in (folder / "README.md").read_text(encoding="utf-8")
    for name in ("words.bin", "learned.bin"):
        assert (folder / name).read_bytes() == (Path(trained.corpus) / name).read_bytes()


def test_bits_of_a_text_that_does_not_fit_are_not_guessed(recipe: Recipe) -> None:
    from training.steps.base_models import load_base
    from training.steps.release import bits_per_byte

    with pytest.raises(StepError, match="longer than 8 tokens: its bits can't be counted whole"):
        bits_per_byte(load_base(recipe), TRAIN[:1], 8)


def test_releasing_before_training_says_what_to_run(recipe: Recipe, corpus: Path, tmp_path: Path) -> None:
    from training.steps.release import release

    shutil.copytree(corpus, tmp_path / "corpus")
    with pytest.raises(StepError, match=r"training\.json is missing: run export_base_corpus, scratch and finetune first"):
        release(replace(recipe, corpus=str(tmp_path / "corpus"), out=str(tmp_path)))
