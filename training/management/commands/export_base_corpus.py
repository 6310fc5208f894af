from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from game.pool.models import Category
from training.corpora import NoCorpusError, export_base_corpus


class Command(BaseCommand):
    help = "Write the human tweets of some categories to files that a base model is trained on from nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("categories", nargs="+", metavar="CATEGORY", help="slugs")
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="replaced if it holds a corpus")
        parser.add_argument("--less", nargs="+", default=[], metavar="CATEGORY", help="whose play split must be new to the base")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = [*options["categories"], *options["less"]]
        found = Category.objects.in_bulk(wanted, field_name="slug")
        if missing := [slug for slug in wanted if slug not in found]:
            raise CommandError(f"No such category: {', '.join(missing)}.")
        try:
            corpus = export_base_corpus(
                categories=[found[slug] for slug in options["categories"]],
                less=[found[slug] for slug in options["less"]],
                out=options["out"],
            )
        except (NoCorpusError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{options['out']}: {corpus['train']:,} tweets, {corpus['left_out']:,} left out because they are played")
