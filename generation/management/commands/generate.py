import signal
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.utils import timezone
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from game.pool.models import Category
from generation.backends.base import BackendError, UnusableModelError
from generation.batches import cancel_batch, create_batch, run_batch
from generation.claims import LostClaimError
from generation.models import Batch, ModelVersion

# More than any pool is kept filled with; writing it takes a day.
AT_MOST = 1_000_000


class Command(BaseCommand):
    help = "Let a category's active model write tweets into the pool, now, in this process, batch by batch."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("category", help="slug")
        parser.add_argument("--count", type=int, required=True, help="how many tweets to end with")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = options["count"]
        if not 1 <= wanted <= AT_MOST:
            raise CommandError(f"--count must be from 1 to {AT_MOST:,}.")
        model, done = _active_model(options["category"]), list[Batch]()
        try:
            with _end_like_ctrl_c(), _Progress(model, wanted, self.stderr) as progress:
                for size in _sizes(wanted):
                    done.append(_run(options["category"], size, progress))
                    if not done[-1].kept:  # the next would come to nothing too
                        break
        except (UnusableModelError, BackendError, LostClaimError, _TakenError) as error:
            raise CommandError(f"{error}{_so_far(done)}") from error
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted: {_kept(done):,} of the {wanted:,} asked for were kept so far.") from None
        self._print(done)
        if _kept(done) < wanted:
            self.stderr.write(f"{_kept(done):,} of the {wanted:,} asked for: the rest of the samples did not pass.")

    def _print(self, done: list[Batch]) -> None:
        dropped: Counter[str] = sum((Counter(batch.dropped) for batch in done), Counter())
        table = Table("what", "samples")
        table.columns[1].justify = "right"
        for name, count in (("kept", _kept(done)), *dropped.most_common(), ("drawn", sum(batch.made for batch in done))):
            table.add_row(name, f"{count:,}")
        Console(file=self.stdout, width=60).print(table)  # type: ignore[arg-type]


class _TakenError(Exception):
    """A worker took the batch at hand."""


def _sizes(wanted: int) -> Iterator[int]:
    # What a worker would do at once: if this process is killed, one takes over no more than that.
    most = settings.GENERATION_BATCH_SIZE
    return (min(most, wanted - at) for at in range(0, wanted, most))


def _run(slug: str, wanted: int, progress: "_Progress") -> Batch:
    batch = create_batch(model_version=_active_model(slug), wanted=wanted)
    try:
        done = run_batch(batch_id=batch.pk, now=timezone.now(), progress=progress.within(wanted))
    except KeyboardInterrupt:
        cancel_batch(batch_id=batch.pk)
        raise
    if done is None:
        raise _TakenError(f"Batch {batch.pk} was taken by a worker, or its model replaced: what comes of it appears in the pool.")
    return done


def _kept(done: list[Batch]) -> int:
    return sum(batch.kept for batch in done)


def _so_far(done: list[Batch]) -> str:
    return f" {_kept(done):,} were kept so far." if done else ""


@contextmanager
def _end_like_ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _active_model(slug: str) -> ModelVersion:
    if not Category.objects.filter(slug=slug).exists():
        known = ", ".join(Category.objects.order_by("slug").values_list("slug", flat=True))
        raise CommandError(f"No category {slug!r}. There are: {known or 'none yet; run load_starter'}.")
    model = ModelVersion.objects.filter(category__slug=slug, state=ModelVersion.State.ACTIVE).first()
    if model is None:
        raise CommandError(f"{slug} has no active model: train one, or register one.")
    return model


class _Progress:
    """A bar on a terminal, a plain line every five seconds elsewhere."""

    def __init__(self, model: ModelVersion, wanted: int, stderr: OutputWrapper) -> None:
        self.model, self.wanted, self.stderr = model, wanted, stderr
        self.bar = tqdm(total=wanted, unit=" tweets", desc=str(model)) if stderr.isatty() else None
        self.said_at, self.begun = time.monotonic(), 0

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar:
            self.bar.close()

    def within(self, wanted: int) -> Callable[[float], None]:
        """Return what is called with the share that is done of the next so many tweets."""
        before, self.begun = self.begun, self.begun + wanted
        return lambda share: self._tell(before + int(share * wanted))

    def _tell(self, done: int) -> None:
        if self.bar:
            self.bar.update(done - self.bar.n)
        elif time.monotonic() - self.said_at >= 5:
            self.said_at = time.monotonic()
            self.stderr.write(f"{self.model}: {done:,} of {self.wanted:,}")
