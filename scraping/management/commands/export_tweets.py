from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from game.pool.models import Category
from scraping.exporting import export_tweets, write_tweets
from scraping.retention import TERMS


class Command(BaseCommand):
    help = "Write a category's approved human tweets as JSON lines: ids and links, and texts where the platform's terms let them leave."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("category", help="slug, as in football-clubs")
        parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="written whole or not at all; - is standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        category = Category.objects.filter(slug=options["category"]).first()
        if category is None:
            known = ", ".join(Category.objects.order_by("slug").values_list("slug", flat=True))
            raise CommandError(f"{options['category']!r} is no category. There are: {known or 'none yet'}.")
        to_stdout = str(options["out"]) == "-"
        name, said = ("Standard output", self.stderr) if to_stdout else (str(options["out"]), self.stdout)
        try:
            if to_stdout:
                counts = write_tweets(category=category, write=self.stdout.write)
                self.stdout.flush()
            else:
                counts = export_tweets(category=category, path=options["out"])
        except OSError as error:
            raise CommandError(f"{name} can't be written: {error.strerror or error}.") from error
        for (platform, fate), count in sorted(counts.items()):
            said.write(f"{platform}, {fate}: {count:,}")
        for platform in sorted(TERMS.keys() & {platform for platform, _ in counts}):
            said.write(f"{platform}: {TERMS[platform].training}")
        if not to_stdout:
            said.write(f"Written to {name}.")
