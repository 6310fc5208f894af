"""A training run, stage by stage: each hands its files to the next, and one whose files are there is not repeated."""

import errno
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from game.embedded.disk import describe_full_disk, is_full
from game.embedded.processes import end_orphan, last_line, spawn, stop
from generation.backends.base import BackendError, UnusableModelError
from generation.versions import STARTER_BASE
from training import measuring, rules, services
from training.cards import write_card
from training.corpora import NoCorpusError, export_corpus
from training.models import TrainingRun
from training.progress import ProgressTail
from training.registration import is_moved, next_version, register
from training.services import LostRunError, RunClaim, TrainingError
from training.steps.recipe import Recipe, StepError, load_recipe, write_recipe

# A step that is told to stop writes a checkpoint first.
STOP_SECONDS = 20.0
LOOK_SECONDS = 0.25
# What may go wrong without being a mistake of ours: told to people in one line.
KNOWN = (TrainingError, NoCorpusError, StepError, UnusableModelError, BackendError, OSError)


class Stopped(Exception):
    """This process was told to end."""


class Cancelled(Exception):
    """Somebody cancelled the run."""


class Pulse:
    """Keeps the lease of a claim while its stages are at work, and hears of a cancellation."""

    def __init__(self, claim: RunClaim) -> None:
        self.claim = claim
        self.cancelled = self.lost = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease of run {claim.run.pk}", daemon=True)

    def __enter__(self) -> "Pulse":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    def _beat(self) -> None:
        lease = settings.TRAINING_LEASE_SECONDS
        renewed = time.monotonic()
        try:
            while not self._end.wait(min(1.0, lease / 4)):
                try:
                    self.cancelled = self.claim.renew()
                    renewed = time.monotonic()
                except LostRunError:
                    self.lost = True
                    return
                except (OperationalError, InterfaceError):
                    # PostgreSQL is away. When it is back somebody may have taken over.
                    connection.close()
                    self.lost = time.monotonic() - renewed > lease
                    if self.lost:
                        return
        finally:
            connection.close()


class Job:
    """A claimed run at work."""

    def __init__(self, claim: RunClaim, pulse: Pulse, should_stop: Callable[[], bool], tell: Callable[[TrainingRun], None]) -> None:
        self.claim, self.pulse, self.should_stop, self.tell = claim, pulse, should_stop, tell
        self.out = claim.run.path
        self.recipe = self._resolve()

    def _resolve(self) -> Recipe:
        """Return the recipe that the run began with, or write it down."""
        path = self.out / "recipe.toml"
        if path.exists():
            return load_recipe(path)
        self.out.mkdir(parents=True, exist_ok=True)
        draft = services.recipe_of(self.claim.run, version=1)
        recipe = replace(draft, version=next_version(draft.name))
        write_recipe(path, recipe)
        return recipe

    def check(self) -> None:
        """Raise what keeps the run from going on: LostRunError, Cancelled, Stopped."""
        if self.pulse.lost:
            raise LostRunError(f"{self.claim.run} was given to another worker.")
        if self.pulse.cancelled:
            raise Cancelled
        if self.should_stop():
            raise Stopped

    def enter(self, stage: str) -> None:
        self.check()
        self.claim.update(stage=stage)
        self.tell(self.claim.run)

    def run_step(self, name: str) -> None:
        """Run a step as a process of its own that dies with this one; raises TrainingError with what it said."""
        log, pid_file = self.out / "log" / f"{name}.log", self.out / "step.pid"
        path = str(self.out / "recipe.toml")
        # Where the kernel does not end the step of a killed worker.
        end_orphan(pid_file, marker=path, signum=signal.SIGKILL)
        log.unlink(missing_ok=True)
        # At once, not politely: two processes must never write one checkpoint.
        step = spawn([sys.executable, "-m", f"training.steps.{name}", path], log=log, cwd=settings.BASE_DIR, death_signal=signal.SIGKILL)
        tail = ProgressTail(self.claim) if name == "finetune" else None
        grace = STOP_SECONDS
        try:
            pid_file.write_text(str(step.pid))
            while step.poll() is None:
                time.sleep(LOOK_SECONDS)
                self._look(tail)
                self.check()
            self._look(tail)
        except LostRunError:
            grace = 0.0
            raise
        finally:
            stop(step, grace=grace)
            pid_file.unlink(missing_ok=True)
        if step.returncode:
            raise TrainingError(self._explain(step, log))

    def _look(self, tail: ProgressTail | None) -> None:
        if tail and tail.look():
            self.tell(self.claim.run)

    def _explain(self, step: "subprocess.Popen[bytes]", log: Path) -> str:
        if is_full(self.out):
            return f"{describe_full_disk(Path(settings.VAR_DIR))} The last checkpoint is kept."
        if step.returncode < 0:
            return f"killed by signal {-step.returncode}, as the system does when memory runs out: see {log}"
        return last_line(log)


# Of the shipped base's corpus.
STARTER_LANGUAGE = "en"


def _export_corpus(job: Job) -> None:
    category, base = job.claim.run.category, services.folder_of_base(job.recipe.base)
    # A base from elsewhere knows more words than any list of ours: those of the shipped one stand for them.
    places = [folder / "words.bin" for folder in (base, STARTER_BASE if category.language == STARTER_LANGUAGE else None) if folder]
    words = next((path for path in places if path.exists()), None)
    corpus = export_corpus(category=category, out=Path(job.recipe.corpus), base_words=words)
    if problem := rules.what_a_corpus_lacks(corpus["train"], corpus["heldout"]):
        raise TrainingError(f"{job.recipe.category} {problem}")


def _draw_samples(job: Job) -> None:
    measuring.draw_samples(recipe=job.recipe, report=lambda share: job.check())


def _teach_judge(job: Job) -> None:
    if job.recipe.judge_samples:
        measuring.write_features(recipe=job.recipe)
        job.run_step("judge")


def _draw_served(job: Job) -> None:
    measuring.draw_served(recipe=job.recipe, report=lambda share: job.check())


def _write_card(job: Job) -> None:
    write_card(recipe=job.recipe)


@dataclass(frozen=True)
class Stage:
    """A stage, and the file under the run's folder that is there, whole, when it is over."""

    name: str
    output: str
    run: Callable[[Job], None]

    @classmethod
    def of_step(cls, name: str, output: str) -> "Stage":
        return cls(name, output, lambda job: job.run_step(name))


STAGES = (
    Stage("corpus", "corpus/corpus.json", _export_corpus),
    Stage.of_step("finetune", "tuned/training.json"),
    Stage.of_step("export", "model/config.json"),
    Stage("sample", "samples.jsonl", _draw_samples),
    Stage("judge", "model/judge.bin", _teach_judge),
    Stage("serve", "served.jsonl", _draw_served),
    Stage.of_step("evaluate", "scores.json"),
    Stage("card", "model/card.json", _write_card),
)


def run_training(
    *,
    run_id: int,
    should_stop: Callable[[], bool] = lambda: False,
    tell: Callable[[TrainingRun], None] = lambda run: None,
    when_stopped: str = TrainingRun.State.WAITING,
) -> TrainingRun | None:
    """Take a run from where it is to a registered model, and return it; None if it is over or somebody else's.

    `should_stop` is asked several times a second; what is stopped waits for the next worker, or becomes `when_stopped`.
    `tell` is given the run whenever something is new. Errors that people can do something about end up in the run.
    Raises BusyError while its device is taken, LostRunError.
    """
    claim = services.claim_run(run_id=run_id, device=name_device)
    if claim is None:
        return None
    try:
        with Pulse(claim) as pulse:
            _go_through(claim, pulse, should_stop, tell)
    except Cancelled:
        claim.finish(TrainingRun.State.CANCELLED)
    except (Stopped, KeyboardInterrupt, SystemExit) as stopped:
        if when_stopped == TrainingRun.State.WAITING:
            claim.give_back()
        else:
            claim.finish(when_stopped, error="interrupted; what is done is kept")
        if not isinstance(stopped, Stopped):
            raise
    except KNOWN as error:
        claim.finish(TrainingRun.State.FAILED, error=_one_line(error))
    except (LostRunError, OperationalError, InterfaceError):
        raise  # the run is not ours to end, or can't be reached
    except BaseException as error:
        claim.finish(TrainingRun.State.FAILED, error=f"{type(error).__name__}: {_one_line(error)}")
        raise
    tell(claim.run)
    return claim.run


def _go_through(claim: RunClaim, pulse: Pulse, should_stop: Callable[[], bool], tell: Callable[[TrainingRun], None]) -> None:
    if not services.can_train_here():
        raise TrainingError("torch is not installed: sh requirements/install.sh train")
    job = Job(claim, pulse, should_stop, tell)
    for stage in STAGES:
        if not is_moved(job.out) and not (job.out / stage.output).exists():
            job.enter(stage.name)
            stage.run(job)
    job.enter("register")
    register(job.claim, job.recipe, rewrite=lambda recipe: _rename(job, recipe))


def _rename(job: Job, recipe: Recipe) -> None:
    """Give the model another version, for its own was taken meanwhile."""
    job.recipe = recipe
    write_recipe(job.out / "recipe.toml", recipe)
    _write_card(job)


def name_device(device: str) -> str:
    """Return which device of which machine a recipe's `device` is, so that each has one run at a time."""
    if device == "auto":
        import ctranslate2  # slow, and only a worker needs it

        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    if device == "cuda":
        device = f"cuda:{os.environ.get('CUDA_VISIBLE_DEVICES') or '0'}"
    return f"{device} of {socket.gethostname()}"


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"{describe_full_disk(Path(settings.VAR_DIR))} The last checkpoint is kept."
    return re.sub(r"\s+", " ", str(error)).strip()
