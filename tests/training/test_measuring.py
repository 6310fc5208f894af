"""What is drawn from a model for its figures, and what the judge is given to learn from."""

import json
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from game.pool.rules import fingerprint
from generation.folders import read_judge, read_knowledge
from generation.judge import features
from generation.rules import Drop, screen
from tests.training.conftest import HELD_OUT, POSSIBLE, TRAIN
from training import measuring
from training.steps.files import read_texts
from training.steps.recipe import Recipe, StepError


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_raw_samples_are_as_many_as_the_judge_or_the_figures_need(trained: Recipe) -> None:
    samples = lines(Path(trained.out) / "samples.jsonl")
    assert len(samples) == max(trained.samples, trained.judge_samples) == 300
    assert all(-9 < sample["log_probability"] < 0 for sample in samples)  # type: ignore[operator]
    # Before any filter: some have words that nobody uses, some are of the corpus.
    assert {sample["text"] for sample in samples} & set(TRAIN)
    assert {sample["text"] for sample in samples} - set(POSSIBLE)


def test_what_is_served_passed_the_screen_and_is_new(trained: Recipe) -> None:
    served = read_texts(Path(trained.out) / "served.jsonl")
    assert len(served) == len(set(map(fingerprint, served))) == trained.samples
    assert not set(served) & {*TRAIN, *HELD_OUT}
    knowledge = read_knowledge(Path(trained.out) / "model")
    assert [text for text in served if isinstance(screen(text, finished=True, language="en", knowledge=knowledge), Drop)] == []


def test_the_judge_learns_from_the_train_split_and_from_samples_that_pass(trained: Recipe) -> None:
    import numpy

    with numpy.load(Path(trained.out) / "features.npz") as data:
        human, starts, buckets, weights = data["human"], data["starts"], data["buckets"], data["weights"]
    assert human.sum() == len(TRAIN)
    assert 25 < len(human) - len(TRAIN) < trained.judge_samples
    assert len(starts) == len(human) + 1 == len(weights) + 1
    first = dict(zip(buckets[: starts[1]].tolist(), range(starts[1]), strict=True))
    # Likelihoods differ, for they are moved; the rest is what the text is made of.
    assert len(first.keys() ^ features(TRAIN[0], -3.0).keys()) <= 4
    assert read_judge(Path(trained.out) / "model") is not None


def test_what_was_learned_is_moved_to_where_the_unseen_lies() -> None:
    assert measuring.as_unseen([-2.0, -3.0, -5.0], [False, False, True]) == [-4.5, -5.5, -5.0]
    assert measuring.as_unseen([-2.0, -3.0], [False, False]) == [-2.0, -3.0]
    learned, unseen = [-2.0, -4.0] * 20, [-4.0, -8.0] * 15
    moved = measuring.as_unseen(learned + unseen, [False] * 40 + [True] * 30)
    assert moved == pytest.approx([-4.0, -8.0] * 35)


def test_samples_weigh_as_much_as_people_write_of_their_length() -> None:
    short, long = "x" * 12, "x" * 25
    assert measuring.as_long_as_people([short, short, short, long], [short, long], 10) == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2.0])
    assert measuring.as_long_as_people([short] * 99 + [long], [long], 10) == [0.0] * 99 + [measuring.MOST_WEIGHT]


def test_a_model_that_never_ends_a_text_is_one_line(trained: Recipe) -> None:
    with pytest.raises(StepError, match=r"^only 0 of \d+ samples came to an end within 2 tokens$"):
        measuring.draw_samples(recipe=replace(trained, max_tokens=2, samples=20, judge_samples=0))


def test_a_model_that_writes_nothing_new_is_one_line(trained: Recipe, tmp_path: Path) -> None:
    copytree(Path(trained.out) / "model", tmp_path / "model")
    (tmp_path / "model" / "words.bin").write_bytes(b"")
    with pytest.raises(StepError, match=r"^\d+ samples gave 0 texts for the pool: the model writes nothing that passes the filters$"):
        measuring.draw_served(recipe=replace(trained, out=str(tmp_path)))
    assert not (tmp_path / "served.jsonl").exists()


def test_work_tells_how_far_it_is_and_can_be_broken_off(trained: Recipe, tmp_path: Path) -> None:
    (tmp_path / "model").symlink_to(Path(trained.out) / "model")
    told: list[float] = []
    measuring.draw_served(recipe=replace(trained, out=str(tmp_path)), report=told.append)
    assert told == sorted(told)
    assert 0 < told[0] <= told[-1] == 1.0

    def stop(_share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measuring.draw_samples(recipe=replace(trained, out=str(tmp_path)), report=stop)
    assert [path.name for path in tmp_path.iterdir() if path.name != "model"] == ["served.jsonl"]
