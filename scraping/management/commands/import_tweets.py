import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import OperationalError
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from game.database import unserved
from game.pool.models import Status
from scraping.commanding import get_category
from scraping.formats import UnreadableFile, check_format
from scraping.records import MAX_NAME_LENGTH
from scraping.rules import Cleaning, Drop
from scraping.services import ImportReport, import_file, outcome_rows

SECONDS_BETWEEN_LINES = 5.0


class Command(BaseCommand):
    help = (
        "Import tweets into a category from JSON lines of twint or twarc (.jsonl, .json), .csv, .tsv, Orange .tab or plain .txt files, "
        "also .gz, .xz, .bz2, and from the .zip archive that X sends."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("category", help="slug, as in donald-trump; made if it does not exist")
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--approve", action="store_true", help="approve what is kept; else it waits for a moderator")
        parser.add_argument("--author", action="append", default=[], metavar="HANDLE", help="keep this author's posts only (repeatable)")
        parser.add_argument("--handle", default="", help="who wrote the posts that don't say (default: the category)")
        parser.add_argument("--language", metavar="CODE", help="ISO 639-1 code that a new category gets (default: en)")
        parser.add_argument(
            "--trailing-links",
            choices=("drop", "strip"),
            default=settings.IMPORT_TRAILING_LINKS,
            help="leave posts that end in a link out, or take the link off (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if len(options["handle"]) > MAX_NAME_LENGTH:
            raise CommandError(f"--handle is longer than {MAX_NAME_LENGTH} characters.")
        report = ImportReport()
        try:
            for path in options["files"]:
                _check(path)
            category = get_category(options["category"], options["language"])
            for path in options["files"]:
                with _Progress(path, self.stderr) as progress:
                    import_file(
                        category=category,
                        path=path,
                        cleaning=Cleaning(language=category.language, trailing_links=options["trailing_links"]),
                        status=Status.APPROVED if options["approve"] else Status.PENDING,
                        handle=options["handle"].lstrip("@"),
                        only=options["author"],
                        report=report,
                        progress=progress,
                    )
        except UnreadableFile as error:
            self._print(report)
            raise CommandError(str(error)) from error
        except OperationalError as error:
            self._print(report)
            raise CommandError(f"{unserved(error)} Run it again for the rest.") from error
        except KeyboardInterrupt:
            self._print(report)
            raise CommandError("Interrupted: what is counted as kept is stored. Run it again for the rest.") from None
        self._print(report, over=True)
        for handle in options["author"]:
            if handle.lstrip("@").casefold() not in report.authors_met:
                self.stderr.write(f"No post is by {handle}.")
        if report.dropped[Drop.BROKEN] and not report.kept and report.dropped.total() == report.dropped[Drop.BROKEN]:
            raise CommandError(
                "Not one line could be read: look at the first ones named above, and at the format that the file's name tells."
            )

    def _print(self, report: ImportReport, *, over: bool = False) -> None:
        if not (over or report.read):
            return
        for line in report.broken_lines:
            self.stderr.write(line)
        if unnamed := report.unnamed_lines:
            self.stderr.write(f"... and {unnamed:,} more broken lines.")
        table = Table("what", "posts")
        table.columns[1].justify = "right"
        for name, count in outcome_rows(report):
            table.add_row(name, f"{count:,}")
        Console(file=self.stdout, width=60).print(table)  # type: ignore[arg-type]


def _check(path: Path) -> None:
    if not path.is_file():
        raise CommandError(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}. Nothing was imported.")
    try:
        check_format(path)
    except UnreadableFile as error:
        raise CommandError(f"{error} Nothing was imported.") from error


class _Progress:
    """A bar on a terminal, a plain line every few seconds elsewhere; called with a position in bytes."""

    def __init__(self, path: Path, out: OutputWrapper) -> None:
        self.path, self.out, self.size = path, out, max(path.stat().st_size, 1)
        self.bar = tqdm(total=self.size, unit="B", unit_scale=True, desc=path.name) if out.isatty() else None
        self.said_at = time.monotonic()

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, position: int) -> None:
        if self.bar is not None:
            self.bar.update(position - self.bar.n)
        elif time.monotonic() - self.said_at >= SECONDS_BETWEEN_LINES:
            self.said_at = time.monotonic()
            self.out.write(f"{self.path.name}: {position / self.size:.0%}")
