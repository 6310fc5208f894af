import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from game.pool.models import Category, Status
from scraping.formats import UnreadableFile
from scraping.rules import Cleaning
from scraping.services import ImportReport, import_file, outcome_rows


class Command(BaseCommand):
    help = "Import tweets into a category from twint JSON lines (.json, .jsonl), CSV, Orange tab or plain text files, also .gz, .xz, .bz2."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("category", help="slug; made if it does not exist")
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--approve", action="store_true", help="approve what is kept; else it waits for a moderator")
        parser.add_argument("--author", action="append", default=[], metavar="HANDLE", help="keep this author's posts only (repeatable)")
        parser.add_argument("--handle", default="", help="who wrote the posts of a file that doesn't say (default: the category)")
        parser.add_argument("--language", help="ISO 639-1 code that a new category gets (default: en)", default="en")
        parser.add_argument(
            "--trailing-links", choices=("drop", "strip"), default=settings.IMPORT_TRAILING_LINKS, help="posts that end in a link"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        missing = [str(path) for path in options["files"] if not path.is_file()]
        if missing:
            raise CommandError(f"No such file: {', '.join(missing)}. Nothing was imported.")
        slug = options["category"]
        if not slug.replace("-", "").isalnum() or not slug.isascii() or slug != slug.lower():
            raise CommandError(f"{slug!r} can't be a category: use small letters, digits and hyphens, as in donald-trump.")
        category, _ = Category.objects.get_or_create(
            slug=slug, defaults={"name": slug.replace("-", " ").title(), "language": options["language"]}
        )
        cleaning = Cleaning(language=category.language, trailing_links=options["trailing_links"])
        report = ImportReport()
        try:
            for path in options["files"]:
                with _Progress(path, self.stderr.isatty()) as progress:
                    import_file(
                        category=category,
                        path=path,
                        cleaning=cleaning,
                        status=Status.APPROVED if options["approve"] else Status.PENDING,
                        handle=options["handle"],
                        only=options["author"],
                        report=report,
                        progress=progress,
                    )
        except UnreadableFile as error:
            self._print(report)
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self._print(report)
            raise CommandError("Interrupted: what is counted as kept is stored. Run it again for the rest.") from None
        self._print(report)

    def _print(self, report: ImportReport) -> None:
        for line in report.broken_lines:
            self.stderr.write(line)
        table = Table("what", "posts")
        table.columns[1].justify = "right"
        for name, count in outcome_rows(report):
            table.add_row(name, f"{count:,}")
        Console(file=self.stdout, width=60).print(table)  # type: ignore[arg-type]


class _Progress:
    """A bar on a terminal, a plain line every five seconds elsewhere; called with a position in bytes."""

    def __init__(self, path: Path, on_terminal: bool) -> None:
        self.path, self.size = path, max(path.stat().st_size, 1)
        self.bar = tqdm(total=self.size, unit="B", unit_scale=True, desc=path.name) if on_terminal else None
        self.said_at = time.monotonic()

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar:
            self.bar.close()

    def __call__(self, position: int) -> None:
        if self.bar:
            self.bar.update(position - self.bar.n)
        elif time.monotonic() - self.said_at >= 5:
            self.said_at = time.monotonic()
            print(f"{self.path.name}: {position / self.size:.0%}", file=sys.stderr)
