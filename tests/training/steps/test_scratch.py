"""A base model from nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.conftest import TRAIN
from training.steps.files import read_json
from training.steps.recipe import Recipe, StepError


def test_a_base_from_nothing_can_be_trained_and_exported(recipe: Recipe, tmp_path: Path) -> None:
    from training.steps.export import export
    from training.steps.finetune import finetune
    from training.steps.scratch import scratch

    begun = replace(recipe, base=str(tmp_path / "begun"), out=str(tmp_path), vocabulary=300, layers=1, width=16, heads=2, epochs=2)
    scratch(begun)
    config = read_json(tmp_path / "begun" / "config.json")
    assert [config[key] for key in ("vocab_size", "n_layer", "n_embd", "n_head", "n_positions")] == [300, 1, 16, 2, 64]
    finetune(begun)
    export(begun)
    # CTranslate2 refuses a model without an unknown token; and none of the three may be taken for another.
    exported = read_json(tmp_path / "model" / "config.json")
    assert [exported[key] for key in ("bos_token", "eos_token", "unk_token")] == ["<|startoftweet|>", "<|endoftweet|>", "<|endoftweet|>"]


def test_the_tokenizer_learns_nothing_from_what_is_held_back(recipe: Recipe, tmp_path: Path) -> None:
    from training.steps.packing import hold_back
    from training.steps.scratch import scratch

    corpus = tmp_path / "corpus"
    corpus.mkdir()
    seen, held_back = hold_back(TRAIN, recipe)
    lines = [f'{{"text": "{text} {"" if text in seen else "Zyzzyva " * 9}"}}\n' for text in TRAIN]
    (corpus / "train.jsonl").write_text("".join(lines), encoding="utf-8")
    begun = replace(recipe, corpus=str(corpus), base=str(tmp_path / "begun"), vocabulary=320, layers=1, width=16, heads=2)
    scratch(begun)
    assert held_back
    assert not [token for token in read_json(tmp_path / "begun" / "tokenizer.json")["model"]["vocab"] if "yzz" in token]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"vocabulary": 100}, "vocabulary is 100: the bytes and the special tokens alone are 259"),
        ({"width": 33}, "width 33 can't be shared by 2 heads"),
    ],
)
def test_a_shape_that_can_not_be_is_refused(recipe: Recipe, tmp_path: Path, change: dict[str, int], complaint: str) -> None:
    from training.steps.scratch import scratch

    with pytest.raises(StepError, match=complaint):
        scratch(replace(recipe, base=str(tmp_path / "begun"), heads=2, **change))  # type: ignore[arg-type]
    assert not (tmp_path / "begun").exists()


def test_a_base_that_was_begun_is_not_overwritten(recipe: Recipe, base: Path) -> None:
    from training.steps.scratch import scratch

    with pytest.raises(StepError, match=f"{base} exists: delete it to begin again"):
        scratch(recipe)
