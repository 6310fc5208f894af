"""A whole run with the real steps in processes of their own; and everything that keeps one from going through."""

import json
import os
import signal
import sys
import threading
import time
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from game.embedded import processes
from game.pool.models import Category
from game.pool.rules import fingerprint
from generation.models import ModelVersion
from generation.rules import RUN_BYTES, HashedSet, learned
from tests.training.flock import KNOBS, TRAIN, add_flock
from training import runs, services
from training.models import TrainingPoint, TrainingRun, TrainingSample
from training.progress import ProgressTail
from training.runs import name_device


@pytest.fixture
def birds(transactional_db: None) -> Category:
    return add_flock("birds")


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    return write_knobs(tmp_path / "recipe.toml")


def write_knobs(path: Path, **more: object) -> Path:
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in (KNOBS | more).items()), encoding="utf-8")
    return path


def train(*words: object) -> tuple[str, str]:
    """Run the command; return what it printed and what it told."""
    out, told = StringIO(), StringIO()
    call_command("train", "birds", *map(str, words), stdout=out, stderr=told)
    return out.getvalue(), told.getvalue()


def complaint(*words: object) -> str:
    with pytest.raises(CommandError) as error:
        train(*words)
    return str(error.value)


def test_one_command_makes_a_measured_candidate_of_a_category(birds: Category, base: Path, recipe_file: Path) -> None:
    out, told = train("--recipe", recipe_file, "--base", base)
    (model,) = ModelVersion.objects.all()
    folder = settings.VAR_DIR / "models" / "tiny-v1"
    assert out == f"tiny v1 is candidate: {folder}\n"
    stages = [stage.name for stage in runs.STAGES]
    assert [line.removeprefix("birds: ") for line in told.splitlines() if "steps" not in line] == [*stages, "register"]
    assert (model.name, model.version, model.state, model.folder) == ("tiny", 1, "candidate", folder)
    assert 0 < model.scores["bits_per_byte"] < 9
    assert json.loads((folder / "card.json").read_text())["version"] == 1

    run = TrainingRun.objects.get()
    assert (run.state, run.stage, run.error, run.model_version, run.claimed_by) == ("done", "register", "", model, None)
    assert run.base == str(base)
    assert run.recipe == KNOBS
    assert run.step == run.steps > 0
    curve = TrainingPoint.objects.filter(run=run)
    assert curve.exclude(held_back_loss=None).count() >= 2
    assert curve.exclude(train_loss=None).count() >= 2
    assert TrainingSample.objects.filter(run=run).count() >= 4

    # The marks of what it learned are in the database and with the weights; the texts are gone.
    (corpus,) = model.corpora.all()
    assert (corpus.tweets, corpus.name) == (len(TRAIN), "train split of birds")
    marks = HashedSet.from_bytes((run.path / "tuned" / "learned.bin").read_bytes(), RUN_BYTES)
    assert marks.hashes == learned(map(fingerprint, TRAIN)).hashes
    assert not any((run.path / name).exists() for name in ("corpus", "checkpoints", "model"))
    machine = {"samples.jsonl", "served.jsonl", "progress.jsonl"}
    assert [path for path in run.path.rglob("*") if path.suffix in (".jsonl", ".npz") and path.name not in machine] == []


def test_a_run_goes_on_after_an_interruption_and_registers_once(
    birds: Category, base: Path, recipe_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_knobs(recipe_file, epochs=500, patience=1000)
    main = threading.get_ident()

    def interrupt() -> None:
        deadline = time.monotonic() + 60
        while not list(settings.VAR_DIR.glob("training/birds-*/checkpoints/checkpoint-*/trainer_state.json")):
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)
        signal.pthread_kill(main, signal.SIGTERM)

    threading.Thread(target=interrupt).start()
    assert complaint("--recipe", recipe_file, "--base", base) == (
        "finetune: interrupted; what is done is kept. To go on: manage.py train birds --resume"
    )
    run = TrainingRun.objects.get()
    assert (run.state, run.stage, run.claimed_by) == ("failed", "finetune", None)
    reached = run.step
    assert 0 < reached < run.steps
    assert ModelVersion.objects.count() == 0

    # What goes on from there fails for another reason: still nothing is registered, and the checkpoint is kept.
    full = [sys.executable, "-c", "import sys; sys.exit('No space left on device')"]
    monkeypatch.setattr(runs, "spawn", lambda command, **options: processes.spawn(full, **options))
    assert complaint("--resume") == "finetune: No space left on device. To go on: manage.py train birds --resume"
    monkeypatch.setattr(runs, "is_full", lambda path: True)
    told = complaint("--resume")
    assert told.startswith("finetune: The disk of VAR is full: ")
    assert told.endswith("The last checkpoint is kept. To go on: manage.py train birds --resume")
    run.refresh_from_db()
    assert (run.state, ModelVersion.objects.count()) == ("failed", 0)
    assert list(run.path.glob("checkpoints/checkpoint-*"))


def test_the_points_of_a_resumed_run_begin_at_its_checkpoint(birds: Category, base: Path) -> None:
    run = services.start_run(category=birds, by=None, recipe_values=KNOBS | {"base": str(base)})
    claim = services.claim_run(run_id=run.pk, device=name_device)
    assert claim is not None
    run.path.mkdir(parents=True)
    path = run.path / "progress.jsonl"
    tail = ProgressTail(claim)
    assert tail.look() is False
    lines = [
        {"step": 1, "steps": 9, "seconds": 1.0, "train_loss": 4.0},
        {"step": 2, "steps": 9, "seconds": 2.0, "train_loss": 3.0},
        {"step": 2, "steps": 9, "seconds": 2.5, "held_back_loss": 3.5},
        {"step": 2, "samples": ["one", "two"]},
        {"note": "batch halved to 8: the device has no memory for 16"},
        {"step": 3, "steps": 9, "seconds": 3.0, "train_loss": 2.0},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    path.write_text(text[:-5])
    assert tail.look() is True
    assert points(run) == [(1, 4.0, None, 1.0), (2, 3.0, 3.5, 2.5)]
    path.write_text(text)
    assert tail.look() is True
    assert points(run) == [(1, 4.0, None, 1.0), (2, 3.0, 3.5, 2.5), (3, 2.0, None, 3.0)]
    assert list(run.samples.values_list("step", "position", "text").order_by("position")) == [(2, 0, "one"), (2, 1, "two")]
    run.refresh_from_db()
    assert (run.step, run.steps, run.seconds, run.note) == (3, 9, 3.0, "batch halved to 8: the device has no memory for 16")
    path.write_text("".join(json.dumps(line) + "\n" for line in lines[:1]))
    assert tail.look() is True
    assert points(run) == [(1, 4.0, None, 1.0)]
    assert run.samples.count() == 0


def points(run: TrainingRun) -> list[tuple[int, float | None, float | None, float]]:
    return list(run.points.order_by("step").values_list("step", "train_loss", "held_back_loss", "seconds"))


# --- bad input: one line, nothing registered


def test_an_unknown_category_is_named(birds: Category) -> None:
    with pytest.raises(CommandError, match=r"^No category 'ostriches'\. There are: birds\.$"):
        call_command("train", "ostriches")


def test_an_empty_and_a_tiny_corpus_are_refused(birds: Category) -> None:
    Category.objects.create(slug="owls", name="Owls")
    with pytest.raises(CommandError, match=r"^owls has no approved human tweets: import some, and approve them\.$"):
        call_command("train", "owls", "--base", "somebody/some-model")
    kept = birds.tweets.filter(split="train").order_by("pk")[:20]
    birds.tweets.exclude(pk__in=kept).update(status="pending")
    assert complaint("--base", "somebody/some-model") == (
        "birds has 20 approved human tweets to learn from and 0 to measure by; 50 and 25 are needed: import more, and approve them."
    )


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({"epoch": 3}, "recipe: unknown key 'epoch'; known are name, "),
        ({"epochs": "three"}, "recipe: epochs must be of type int, not 'three'"),
        ({"category": "owls"}, "recipe.toml is a recipe for owls, not for birds."),
    ],
)
def test_a_recipe_with_a_mistake_is_refused(birds: Category, recipe_file: Path, base: Path, knobs: dict[str, object], told: str) -> None:
    write_knobs(recipe_file, **knobs)
    assert told in complaint("--recipe", recipe_file, "--base", base)
    assert TrainingRun.objects.count() == 0


def test_a_recipe_that_is_not_there_or_no_toml_is_refused(birds: Category, tmp_path: Path) -> None:
    assert "No such file" in complaint("--recipe", tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("epochs: 3")
    assert complaint("--recipe", tmp_path / "bad.toml").startswith(f"{tmp_path / 'bad.toml'}: ")


def test_a_base_that_is_not_there_or_has_no_tokenizer_is_refused(birds: Category, recipe_file: Path, base: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert complaint("--recipe", recipe_file, "--base", nowhere) == (
        f"base '{nowhere}' is not there: it must be a folder in transformers format, or a name on the hub."
    )
    mute = tmp_path / "mute"
    mute.mkdir()
    (mute / "config.json").write_bytes((base / "config.json").read_bytes())
    assert complaint("--recipe", recipe_file, "--base", mute) == f"base '{mute}' has no tokenizer: save tokenizer.json beside its weights."
    assert TrainingRun.objects.count() == 0


def test_without_torch_the_line_says_how_to_install_it(
    birds: Category, base: Path, recipe_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.services.find_spec", lambda name: None)
    assert complaint("--recipe", recipe_file, "--base", base) == "start: torch is not installed: sh requirements/install.sh train."
    assert TrainingRun.objects.get().state == "failed"


def test_a_disk_that_fills_is_told_and_nothing_is_registered(
    birds: Category, base: Path, recipe_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(**_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(runs, "export_corpus", fill)
    told = complaint("--recipe", recipe_file, "--base", base)
    assert told.startswith("corpus: The disk of VAR is full: ")
    assert told.endswith("The last checkpoint is kept.")
    assert ModelVersion.objects.count() == 0


def test_one_run_at_a_time_has_the_device(birds: Category, base: Path, recipe_file: Path) -> None:
    other = services.start_run(category=birds, by=None, recipe_values=KNOBS | {"base": str(base)})
    assert services.claim_run(run_id=other.pk, device=name_device)
    told = complaint("--recipe", recipe_file, "--base", base)
    assert told == f"training {other.pk} of birds is going on on {name_device('cpu')}: wait for it, or cancel it."
    assert list(TrainingRun.objects.values_list("pk", "state")) == [(other.pk, "running")]
    assert complaint("--resume") == f"Run {other.pk} of birds is going on: wait for it, or cancel it."


def test_there_is_nothing_to_resume_at_first(birds: Category) -> None:
    assert complaint("--resume") == "birds has no run to resume: leave --resume out."
    assert complaint("--resume", "--base", "gpt2").startswith("--resume goes on with the run's own recipe and base")
