import signal
import time
import tomllib
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from tqdm import tqdm

from game.pool.models import Category
from training.models import TrainingRun
from training.runs import run_training
from training.services import BusyError, LostRunError, TrainingError, find_run_to_resume, folder_of_base, put_back, start_run

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
LINE_SECONDS = 5.0
BAR = "{desc}{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{unit} [{elapsed}<{remaining}]"


class Command(BaseCommand):
    help = "Train a model on a category's tweets, here and now: corpus, fine-tuning, export, measuring, registering as a candidate."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("category", help="slug")
        parser.add_argument("--recipe", type=Path, metavar="FILE", help="default: training/recipes/CATEGORY.toml, if it is there")
        parser.add_argument("--base", metavar="NAME_OR_PATH", help="starter (default), a folder, or a causal language model on the hub")
        parser.add_argument("--resume", action="store_true", help="go on with the category's last run, by its own recipe")
        parser.add_argument("--promote", action="store_true", help="let the model write for the category if it beats the active one")

    def handle(self, *args: Any, **options: Any) -> None:
        category = _find_category(options["category"])
        try:
            run = self._choose_run(category, options)
        except TrainingError as error:
            raise CommandError(str(error)) from error
        try:
            with _Signals() as signals, _Progress(self.stderr) as progress:
                done = run_training(run_id=run.pk, should_stop=signals.came, tell=progress, when_stopped=TrainingRun.State.FAILED)
        except BusyError as error:
            put_back(run=run)
            raise CommandError(str(error)) from error
        except LostRunError as error:
            raise CommandError(str(error)) from error
        if done is None:
            raise CommandError(f"Run {run.pk} was taken by a worker: watch it on the training page.")
        if done.model_version is None:
            again = f" To go on: manage.py train {category.slug} --resume" if (done.path / "corpus").exists() else ""
            raise CommandError(f"{done.stage or 'start'}: {done.error}.{again}".replace("..", "."))
        for line in done.note.splitlines():
            self.stdout.write(line)
        self.stdout.write(f"{done.model_version} is {done.model_version.state}: {done.model_version.folder}")

    def _choose_run(self, category: Category, options: dict[str, Any]) -> TrainingRun:
        if options["resume"]:
            if options["recipe"] or options["base"]:
                raise CommandError("--resume goes on with the run's own recipe and base: leave --recipe and --base out.")
            return find_run_to_resume(category=category, promote=options["promote"])
        values = _read_values(category, options["recipe"])
        if base := options["base"]:
            folder = folder_of_base(base)
            values["base"] = str(folder.resolve()) if folder and base != "starter" else base
        return start_run(category=category, by=None, recipe_values=values, promote=options["promote"], here=True)


def _find_category(slug: str) -> Category:
    category = Category.objects.filter(slug=slug).first()
    if category is None:
        known = ", ".join(Category.objects.order_by("slug").values_list("slug", flat=True))
        raise CommandError(f"No category {slug!r}. There are: {known or 'none yet; run load_starter'}.")
    return category


def _read_values(category: Category, path: Path | None) -> dict[str, Any]:
    if path is None:
        path = RECIPES / f"{category.slug}.toml"
        if not path.exists():
            return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CommandError(f"{path}: {error}") from error
    if values.get("category", category.slug) != category.slug:
        raise CommandError(f"{path} is a recipe for {values['category']}, not for {category.slug}.")
    return values


class _Signals:
    """Takes note of SIGINT and SIGTERM, so that a run ends with a checkpoint; a second SIGINT ends it at once."""

    def __enter__(self) -> "_Signals":
        self.count = 0
        self.before = {signum: signal.signal(signum, self._note) for signum in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        for signum, handler in self.before.items():
            signal.signal(signum, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt

    def came(self) -> bool:
        return self.count > 0


class _Progress:
    """A bar on a terminal, plain lines elsewhere; called with the run whenever something is new."""

    def __init__(self, stderr: OutputWrapper) -> None:
        self.stderr = stderr
        self.bar = tqdm(unit=" steps", bar_format=BAR) if stderr.isatty() else None
        self.stage, self.said_at = "", 0.0

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, run: TrainingRun) -> None:
        if self.bar is not None:
            self.bar.set_description(run.stage, refresh=False)
            self.bar.total, self.bar.n = run.steps, run.step
            self.bar.refresh()
        elif run.stage != self.stage:
            self.stderr.write(f"{run.category.slug}: {run.stage}")
            self.said_at = time.monotonic()
        elif time.monotonic() - self.said_at >= LINE_SECONDS and run.stage == "finetune":
            self.stderr.write(f"{run.category.slug}: {run.stage}, {run.step:,} of {run.steps:,} steps in {run.seconds:.0f} s")
            self.said_at = time.monotonic()
        self.stage = run.stage
