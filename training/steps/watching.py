"""What a running training tells: a line of JSON for each figure, a bar on a terminal; and how it is stopped."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback

from training.steps.base_models import Base, write_texts_of
from training.steps.recipe import Recipe

SHOWN = 4  # samples at each check


class ProgressFile:
    """progress.jsonl: {"step", "steps", "seconds", …} and one of train_loss, held_back_loss, samples, note.

    Whoever watches reads it while it grows. Only the first process of several writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writes = int(os.environ.get("RANK", "0")) == 0

    def rewind(self, step: int) -> float:
        """Drop what was written after `step`, which a resumed run will write again; return the seconds until then."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        kept = [entry for entry in map(_read, lines) if entry is not None and entry.get("step", 0) <= step] if step else []
        if self.writes:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("".join(json.dumps(entry) + "\n" for entry in kept), encoding="utf-8")
        return max((entry.get("seconds", 0.0) for entry in kept), default=0.0)

    def add(self, **entry: Any) -> None:
        if self.writes:
            with self.path.open("a", encoding="utf-8") as lines:
                lines.write(
                    json.dumps({key: round(value, 5) if isinstance(value, float) else value for key, value in entry.items()}) + "\n"
                )


def _read(line: str) -> dict[str, Any] | None:
    """Read a line; None for the last one of a killed run, cut in the middle."""
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
        return None
    return entry if isinstance(entry, dict) else None


class Watcher(TrainerCallback):
    """Passes on what the Trainer tells; entered, it answers SIGINT and SIGTERM by a checkpoint and a stop after the step."""

    def __init__(self, base: Base, recipe: Recipe, file: ProgressFile, *, seconds: float) -> None:
        self.base, self.recipe, self.file = base, recipe, file
        self.seconds_before, self.started = seconds, time.monotonic()
        self.stopped = False
        self.bar: Any = None

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started

    def stop(self, signum: int, _frame: object) -> None:
        if self.stopped:  # somebody is in a hurry
            raise KeyboardInterrupt
        self.stopped = True

    def __enter__(self) -> "Watcher":
        self.handlers = {signum: signal.signal(signum, self.stop) for signum in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        for signum, handler in self.handlers.items():
            signal.signal(signum, handler)
        if self.bar is not None:
            self.bar.close()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc=self.recipe.category, unit="step", disable=None)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.bar.update()
        if state.global_step == state.max_steps:  # the last weights may be the best
            control.should_evaluate = True
            control.should_save = True
        if self.stopped:
            control.should_training_stop = True
            control.should_save = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        where = {"step": state.global_step, "steps": state.max_steps, "seconds": self.seconds}
        logs = logs or {}
        if "loss" in logs:
            self.file.add(**where, train_loss=logs["loss"], rate=logs["learning_rate"])
        if "eval_loss" in logs:
            self.file.add(**where, held_back_loss=logs["eval_loss"])
            if self.file.writes:
                tqdm.write(f"step {state.global_step}/{state.max_steps}  held back {logs['eval_loss']:.4f}")

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.file.writes:
            texts = write_texts_of(self.base, self.recipe, [[self.base.start]] * SHOWN, seed=state.global_step)
            self.file.add(step=state.global_step, samples=texts)
