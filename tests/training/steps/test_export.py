from dataclasses import replace
from pathlib import Path

import pytest

from training.steps.export import FROM_CORPUS, export
from training.steps.recipe import Recipe, StepError


def test_an_exported_folder_holds_all_that_generation_needs(trained: Recipe) -> None:
    model = Path(trained.out) / "model"
    expected = {"model.bin", "config.json", "vocabulary.json", "tokenizer.json", *FROM_CORPUS}
    assert {path.name for path in model.iterdir()} >= expected
    for name in FROM_CORPUS:
        assert (model / name).read_bytes() == (Path(trained.corpus) / name).read_bytes()


def test_exporting_again_replaces_the_folder_whole(trained: Recipe, tmp_path: Path) -> None:
    (tmp_path / "tuned").symlink_to(Path(trained.out) / "tuned")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "stale.txt").touch()
    export(replace(trained, out=str(tmp_path)))
    assert not (tmp_path / "model" / "stale.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "tuned"]


def test_exporting_before_fine_tuning_says_what_to_run(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"tokenizer\.json is missing: run export_corpus and finetune first"):
        export(replace(recipe, out=str(tmp_path)))
