"""Fine-tuning, on real torch and a tiny model."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from training.steps.files import read_json, read_texts
from training.steps.recipe import Recipe, StepError, write_recipe

TORCHRUN = ("torch.distributed.run", "--nproc-per-node", "2", "-m")


def result_of(recipe: Recipe) -> tuple[dict[str, Any], bytes]:
    tuned = Path(recipe.out) / "tuned"
    return read_json(tuned / "training.json"), (tuned / "model.safetensors").read_bytes()


def progress_of(recipe: Recipe) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(recipe.out) / "progress.jsonl").read_text(encoding="utf-8").splitlines()]


def started(recipe: Recipe, *launcher: str) -> subprocess.Popen[str]:
    path = Path(recipe.out) / "recipe.toml"
    write_recipe(path, recipe)
    command = [sys.executable, "-m", *launcher, "training.steps.finetune", str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def interrupted_at(step: int, signum: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the process get a signal in the middle of training, as from a terminal or a supervisor."""
    from training.steps.watching import Watcher

    on_step_end = Watcher.on_step_end

    def signalled(self: Watcher, args: Any, state: Any, control: Any, **more: Any) -> None:
        if state.global_step == step:
            signal.raise_signal(signum)
        on_step_end(self, args, state, control, **more)

    monkeypatch.setattr(Watcher, "on_step_end", signalled)


def test_the_model_learns_its_corpus_and_tells_how_it_goes(trained: Recipe) -> None:
    training, _ = result_of(trained)
    told = progress_of(trained)
    checks = [entry["held_back_loss"] for entry in told if "held_back_loss" in entry]
    # An untrained model needs ln 320 = 5.77 nats a token.
    assert checks[0] > 1.5 * training["held_back_loss"]
    assert training["held_back_loss"] == pytest.approx(min(checks), abs=1e-5)
    assert len(checks) == training["steps"] // (training["steps"] // (trained.epochs * trained.checks))
    assert all(len(entry["samples"]) == 4 for entry in told if "samples" in entry)
    losses = [entry["train_loss"] for entry in told if "train_loss" in entry]
    assert len(losses) == training["steps"]
    assert losses[-1] < losses[0] / 3
    assert not (Path(trained.out) / "checkpoints").exists()


def test_the_best_weights_are_kept_and_their_figures_are_true(trained: Recipe) -> None:
    """The loss on what was held back, computed here anew from the saved files."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    training, _ = result_of(trained)
    tuned = Path(trained.out) / "tuned"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tuned, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(tuned)
    texts = read_texts(tuned / "held_back.jsonl")
    assert len(texts) == training["held_back_tweets"] == 9
    nats, tokens = 0.0, 0
    for text in texts:
        ids = torch.tensor([[0, *tokenizer(text)["input_ids"], 1]])
        with torch.no_grad():
            nats += model(ids, labels=ids).loss.item() * (ids.shape[1] - 1)
        tokens += ids.shape[1] - 1
    assert training["held_back_loss"] == pytest.approx(nats / tokens, rel=0.02)  # they were measured in bfloat16
    bits = nats / 0.6931 / sum(len(text.encode()) for text in texts)
    assert training["held_back_bits_per_byte"] == pytest.approx(bits, rel=0.02)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_goes_on_and_ends_with_the_same_weights(
    trained: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signum: signal.Signals
) -> None:
    from training.steps.finetune import finetune

    again = replace(trained, out=str(tmp_path))
    with monkeypatch.context() as patch:
        interrupted_at(15, signum, patch)
        with pytest.raises(StepError, match="interrupted after step 15; run it again to go on"):
            finetune(again)
    assert not (tmp_path / "tuned").exists()
    finetune(again)

    whole, whole_weights = result_of(trained)
    resumed, resumed_weights = result_of(again)
    assert resumed["held_back_loss"] == whole["held_back_loss"]
    assert resumed_weights == whole_weights
    timeless = [
        [{key: value for key, value in entry.items() if key != "seconds"} for entry in progress_of(run)] for run in (trained, again)
    ]
    assert timeless[0] == timeless[1]


def test_a_run_killed_in_the_middle_goes_on_and_ends_with_the_same_weights(trained: Recipe, tmp_path: Path) -> None:
    again = replace(trained, out=str(tmp_path))
    process = started(again)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("checkpoints/checkpoint-*/trainer_state.json")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate()
    if (tmp_path / "tuned").exists():
        pytest.fail("it was done before it was killed")
    # As if the kill had hit the writing of a later checkpoint, and of a line.
    (tmp_path / "checkpoints" / "checkpoint-9999").mkdir()
    with (tmp_path / "progress.jsonl").open("a") as lines:
        lines.write('{"step": 99')

    resumed = started(again)
    output, errors = resumed.communicate(timeout=180)
    assert resumed.returncode == 0, errors
    assert "goes on after step" in output + errors
    assert result_of(again)[1] == result_of(trained)[1]
    assert result_of(again)[0]["held_back_loss"] == result_of(trained)[0]["held_back_loss"]


def test_two_processes_train_the_same_model_as_one(recipe: Recipe, tmp_path: Path) -> None:
    """Each takes half of every batch; sums come in another order, so the weights agree but for rounding."""
    from training.steps.finetune import finetune

    recipe = replace(recipe, precision="float32", dropout=0.0, epochs=3)
    alone, shared = replace(recipe, out=str(tmp_path / "alone")), replace(recipe, out=str(tmp_path / "shared"))
    (tmp_path / "shared").mkdir()
    process = started(shared, *TORCHRUN)
    finetune(alone)
    errors = process.communicate(timeout=180)[1]
    assert process.returncode == 0, errors
    assert result_of(shared)[0]["held_back_loss"] == pytest.approx(result_of(alone)[0]["held_back_loss"], rel=1e-4)
    assert len(progress_of(shared)) == len(progress_of(alone))  # one of the two wrote


def test_a_batch_that_processes_can_not_share_is_refused(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training.steps.finetune import finetune

    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(StepError, match="batch 4 can't be shared by 3 processes"):
        finetune(replace(recipe, out=str(tmp_path)))


@pytest.fixture(scope="module")
def whole(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """A short run in which nothing is left to chance, on a device with memory enough."""
    from training.steps.finetune import finetune

    run = replace(recipe, precision="float32", dropout=0.0, epochs=2, out=str(tmp_path_factory.mktemp("whole")))
    finetune(run)
    return run


@pytest.mark.parametrize("steps_before", [0, 1, 3])  # at once, before the first checkpoint, after it
def test_a_device_without_memory_gets_half_at_a_time_and_the_same_result(
    whole: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps_before: int
) -> None:
    import torch

    from training.steps import finetune as step

    halved = replace(whole, out=str(tmp_path))
    training_step = step.Tuner.training_step

    def small(self: Any, model: Any, inputs: Any, *more: Any) -> torch.Tensor:
        if len(inputs["input_ids"]) > 2 and self.state.global_step >= steps_before:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return training_step(self, model, inputs, *more)

    monkeypatch.setattr(step.Tuner, "training_step", small)
    step.finetune(halved)
    notes = [entry["note"] for entry in progress_of(halved) if "note" in entry]
    assert notes == ["batch halved to 2 at a time: the device has no memory for more; gradients add up to the same step"]
    assert result_of(halved)[0]["held_back_loss"] == pytest.approx(result_of(whole)[0]["held_back_loss"], rel=1e-4)


def test_a_device_without_memory_for_one_block_is_an_error(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from training.steps import finetune as step

    def none(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(step.Tuner, "training_step", none)
    with pytest.raises(StepError, match="no memory for a single block: choose a smaller base or block"):
        step.finetune(replace(recipe, out=str(tmp_path)))


def test_a_full_disk_keeps_the_last_checkpoint(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from training.steps import finetune as step

    save = torch.save
    written: list[str] = []

    def full(state: Any, path: Any, *more: Any, **named: Any) -> None:
        written.append(str(path))
        if "checkpoint-8" in str(path):
            raise RuntimeError("PytorchStreamWriter failed writing file data/0")
        save(state, path, *more, **named)

    begun = replace(recipe, out=str(tmp_path), epochs=3)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        patch.setattr(step.shutil, "disk_usage", lambda _path: type("Usage", (), {"free": 0})())
        with pytest.raises(StepError, match="is full; the last whole checkpoint is kept: make room and run it again"):
            step.finetune(begun)
    assert any("checkpoint-8" in path for path in written)
    assert step.last_checkpoint(tmp_path / "checkpoints") == tmp_path / "checkpoints" / "checkpoint-6"
    assert not (tmp_path / "tuned").exists()
    step.finetune(begun)
    assert (tmp_path / "tuned" / "training.json").exists()


def test_a_checkpoint_of_another_recipe_is_not_gone_on_with(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training.steps.finetune import finetune

    begun = replace(recipe, out=str(tmp_path))
    with monkeypatch.context() as patch:
        interrupted_at(3, signal.SIGTERM, patch)
        with pytest.raises(StepError, match="interrupted after step 3"):
            finetune(begun)
    with pytest.raises(StepError, match="checkpoints is of another recipe, base or corpus: delete it to start over"):
        finetune(replace(begun, rate=3e-2))


def test_a_corpus_of_another_category_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    from training.steps.finetune import finetune

    with pytest.raises(StepError, match="holds birds, not fish"):
        finetune(replace(recipe, category="fish", out=str(tmp_path)))


def test_a_corpus_of_one_tweet_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    from training.steps.finetune import finetune

    (tmp_path / "train.jsonl").write_text('{"text": "One owl."}\n')
    (tmp_path / "corpus.json").write_text('{"category": "birds", "sha256": "0"}')
    with pytest.raises(StepError, match=r": 1 tweets are too few to train on 90% of them"):
        finetune(replace(recipe, corpus=str(tmp_path), out=str(tmp_path / "out")))


def test_cuda_without_a_gpu_is_an_error(recipe: Recipe, tmp_path: Path) -> None:
    import torch

    from training.steps.finetune import finetune

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(StepError, match="device is 'cuda', and no CUDA device is here"):
        finetune(replace(recipe, device="cuda", out=str(tmp_path)))


def test_training_stops_when_what_is_held_back_gets_no_better(recipe: Recipe, tmp_path: Path) -> None:
    from training.steps.finetune import finetune

    # At rate 0 no check is better than the first.
    still = replace(recipe, out=str(tmp_path), rate=0.0, patience=2)
    finetune(still)
    training, _ = result_of(still)
    assert len(training["history"]) == 3
    assert training["steps"] == 6


def test_the_rate_warms_up_and_falls_along_a_cosine_to_its_floor(recipe: Recipe, tmp_path: Path) -> None:
    from training.steps.finetune import finetune

    run = replace(recipe, out=str(tmp_path), rate=1e-3, warmup=0.25, floor=0.2, patience=100, checks=1)
    finetune(run)
    rates = [entry["rate"] for entry in progress_of(run) if "rate" in entry]
    top = len(rates) // 4
    assert len(rates) == result_of(run)[0]["steps"] >= 40
    assert max(rates) == rates[top] == 1e-3
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(0.2e-3, abs=1e-5)


def test_muon_trains_the_hidden_matrices_and_adam_the_rest(recipe: Recipe, tmp_path: Path) -> None:
    from training.steps.finetune import finetune

    run = replace(recipe, out=str(tmp_path), optimizer="muon", rate=1e-2, matrix_rate=1e-2, checks=1)
    finetune(run)
    training, _ = result_of(run)
    assert training["held_back_loss"] < 1.0
