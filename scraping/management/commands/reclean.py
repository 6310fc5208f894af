import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import OperationalError
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from game.database import unserved
from game.pool.models import Category
from scraping.recleaning import RecleanReport, reclean
from scraping.rules import CLEANING_VERSION

SECONDS_BETWEEN_LINES = 5.0


class Command(BaseCommand):
    help = "Clean stored posts again that an earlier version of the cleaning saw, and change the pool accordingly."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("category", nargs="?", help="slug; without one, all categories in turn")
        parser.add_argument("--all", action="store_true", help="every stored post, also those that this version has seen")
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["category"]
        categories = list(Category.objects.filter(slug=slug) if slug else Category.objects.order_by("slug"))
        if slug and not categories:
            known = ", ".join(Category.objects.order_by("slug").values_list("slug", flat=True))
            raise CommandError(f"{slug!r} is no category. There are: {known or 'none yet'}.")
        report = RecleanReport()
        try:
            with _Progress(self.stderr) as progress:
                for category in categories:
                    reclean(category=category, everything=options["all"], dry_run=options["dry_run"], report=report, tell=progress)
        except OperationalError as error:
            self._print(report)
            raise CommandError(f"{unserved(error)} Run it again for the rest.") from error
        except KeyboardInterrupt:
            self._print(report)
            raise CommandError("Interrupted: what is counted is stored. Run it again for the rest.") from None
        self._print(report, over=True)
        if options["dry_run"]:
            self.stdout.write("Nothing was changed.")

    def _print(self, report: RecleanReport, *, over: bool = False) -> None:
        if not (over or report.posts):
            return
        table = Table(f"by version {CLEANING_VERSION}", "posts")
        table.columns[1].justify = "right"
        dropped = sorted(((f"dropped now: {drop}", count) for drop, count in report.dropped_now.items()), key=lambda row: -row[1])
        rows = [
            ("as before", report.same),
            ("text changed", report.changed),
            ("kept now", report.kept_now),
            *dropped,
            ("dropped for another reason", report.reason_changed),
            ("left as somebody decided", report.by_people),
            ("looked at", report.posts),
        ]
        for name, count in rows:
            table.add_row(name, f"{count:,}")
        Console(file=self.stdout, width=60).print(table)  # type: ignore[arg-type]


class _Progress:
    """A count on a terminal, a plain line every few seconds elsewhere."""

    def __init__(self, out: OutputWrapper) -> None:
        self.out = out
        self.bar = tqdm(unit=" posts", unit_scale=True) if out.isatty() else None
        self.said_at = time.monotonic()

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, report: RecleanReport) -> None:
        if self.bar is not None:
            self.bar.update(report.posts - self.bar.n)
        elif time.monotonic() - self.said_at >= SECONDS_BETWEEN_LINES:
            self.said_at = time.monotonic()
            self.out.write(f"{report.posts:,} posts looked at")
