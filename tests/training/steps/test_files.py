from pathlib import Path

import pytest

from training.steps.files import read_texts, write_texts, written_aside


def test_a_folder_takes_the_others_place_only_when_all_went_well(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(ValueError, match="half way"), written_aside(folder) as aside:
        _half_written(aside)
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "old"]
    with written_aside(folder) as aside:
        aside.mkdir()
        (aside / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "new"]


def _half_written(aside: Path) -> None:
    aside.mkdir()
    (aside / "new").touch()
    raise ValueError("half way")


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / ".model.part"
    left.mkdir()
    (left / "half").touch()
    with written_aside(tmp_path / "model") as aside:
        aside.mkdir()
    assert [path.name for path in tmp_path.rglob("*")] == ["model"]


def test_texts_survive_their_file(tmp_path: Path) -> None:
    texts = ["two\nlines", 'a "quote"', "\N{HATCHING CHICK}"]
    write_texts(tmp_path / "texts.jsonl", texts)
    assert read_texts(tmp_path / "texts.jsonl") == texts
