"""The judge learns what tells two kinds of texts apart, and nothing where nothing does."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy
import pytest

from generation.folders import read_judge
from generation.judge import features
from training.steps.judge import judge
from training.steps.recipe import Recipe, StepError

WORDS = ("owl", "mill", "pond", "sings", "softly", "again", "by", "the", "wren", "gate")


def some_texts(seed: int, count: int, end: str = ".") -> list[str]:
    rng = Random(seed)
    return [f"{' '.join(rng.choices(WORDS, k=7))}{end}" for _ in range(count)]


def taught(recipe: Recipe, out: Path, human: list[str], machine: list[str]) -> Recipe:
    rows = [features(text, -3.0) for text in human + machine]
    (out / "model").mkdir()
    numpy.savez(
        out / "features.npz",
        starts=numpy.cumsum([0, *map(len, rows)]),
        buckets=[bucket for row in rows for bucket in row],
        values=[value for row in rows for value in row.values()],
        human=[1] * len(human) + [0] * len(machine),
        weights=[1.0] * len(rows),
    )
    done = replace(recipe, out=str(out))
    judge(done)
    return done


def test_a_planted_difference_is_found(recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taught(recipe, tmp_path, some_texts(1, 80, "!"), some_texts(2, 160))
    found = read_judge(tmp_path / "model")
    assert found is not None
    new = some_texts(3, 20)
    assert min(found.log_ratios([text.replace(".", "!") for text in new], [-3.0] * 20)) > max(found.log_ratios(new, [-3.0] * 20))
    assert capsys.readouterr().out == "judge: 80 texts by people, 160 samples; AUC 1.000 on texts that it did not learn from\n"


def test_none_is_found_where_there_is_none(recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taught(recipe, tmp_path, some_texts(1, 80), some_texts(2, 160))
    auc = float(capsys.readouterr().out.partition("AUC ")[2].split()[0])
    assert 0.35 < auc < 0.65


def test_the_file_is_small_and_says_what_it_is(recipe: Recipe, tmp_path: Path) -> None:
    taught(recipe, tmp_path, some_texts(1, 20), some_texts(2, 20))
    data = (tmp_path / "model" / "judge.bin").read_bytes()
    head, _, body = data.partition(b"\n")
    assert json.loads(head)["format"] == 1
    assert len(data) < 300_000
    assert max(map(abs, numpy.frombuffer(body, numpy.int8).tolist())) == 127


def test_too_few_texts_are_one_line(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"^20 texts by people and 3 samples are too few for a judge to learn from$"):
        taught(recipe, tmp_path, some_texts(1, 20), some_texts(2, 3))


def test_features_must_be_there(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"features\.npz is missing: draw samples and write their features first$"):
        judge(replace(recipe, out=str(tmp_path)))
