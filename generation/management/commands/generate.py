import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.utils import timezone
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from game.pool.models import Category
from generation.backends.base import BackendError, UnusableModelError
from generation.batches import create_batch, run_batch
from generation.claims import LostClaimError
from generation.models import Batch, ModelVersion


class Command(BaseCommand):
    help = "Let a category's active model write one batch of tweets into the pool, now, in this process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("category", help="slug")
        parser.add_argument("--count", type=int, required=True, help="how many tweets to end with")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["count"] < 1:
            raise CommandError("--count must be at least 1.")
        batch = create_batch(model_version=_active_model(options["category"]), wanted=options["count"])
        with _Progress(batch, self.stderr) as progress:
            try:
                done = run_batch(batch_id=batch.pk, now=timezone.now(), progress=progress)
            except (UnusableModelError, BackendError, LostClaimError) as error:
                raise CommandError(str(error)) from error
            except KeyboardInterrupt:
                raise CommandError("Interrupted: nothing of this batch was stored.") from None
        if done is None:
            raise CommandError(f"Batch {batch.pk} was taken by a worker: it appears in the pool when that is done.")
        self._print(done)

    def _print(self, batch: Batch) -> None:
        table = Table("what", "samples")
        table.columns[1].justify = "right"
        for name, count in (("kept", batch.kept), *batch.dropped.items(), ("drawn", batch.made)):
            table.add_row(name, f"{count:,}")
        Console(file=self.stdout, width=60).print(table)  # type: ignore[arg-type]
        if batch.kept < batch.wanted:
            self.stderr.write(f"{batch.kept:,} of the {batch.wanted:,} asked for: the rest of the samples did not pass.")


def _active_model(slug: str) -> ModelVersion:
    if not Category.objects.filter(slug=slug).exists():
        known = ", ".join(Category.objects.order_by("slug").values_list("slug", flat=True))
        raise CommandError(f"No category {slug!r}. There are: {known or 'none yet; run load_starter'}.")
    model = ModelVersion.objects.filter(category__slug=slug, state=ModelVersion.State.ACTIVE).first()
    if model is None:
        raise CommandError(f"{slug} has no active model: train one, or register one.")
    return model


class _Progress:
    """A bar on a terminal, a plain line every five seconds elsewhere; called with the share that is done."""

    def __init__(self, batch: Batch, stderr: OutputWrapper) -> None:
        self.batch, self.stderr = batch, stderr
        self.bar = tqdm(total=batch.wanted, unit=" tweets", desc=str(batch.model_version)) if stderr.isatty() else None
        self.said_at = time.monotonic()

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar:
            self.bar.close()

    def __call__(self, share: float) -> None:
        done = int(share * self.batch.wanted)
        if self.bar:
            self.bar.update(done - self.bar.n)
        elif time.monotonic() - self.said_at >= 5:
            self.said_at = time.monotonic()
            self.stderr.write(f"{self.batch.model_version}: {done:,} of {self.batch.wanted:,}")
