from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from game.pool.models import Category
from training.corpora import NoCorpusError, export_corpus


class Command(BaseCommand):
    help = "Write the approved human tweets of a category to files that the training steps read."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("category", help="slug")
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="replaced if it holds a corpus")
        parser.add_argument(
            "--words-from", nargs="+", default=[], metavar="CATEGORY", help="what the base model was trained on: its words count as known"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = [options["category"], *options["words_from"]]
        found = Category.objects.in_bulk(wanted, field_name="slug")
        if missing := [slug for slug in wanted if slug not in found]:
            raise CommandError(f"No such category: {', '.join(missing)}.")
        category, *words_from = (found[slug] for slug in wanted)
        try:
            corpus = export_corpus(category=category, out=options["out"], words_from=words_from)
        except (NoCorpusError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{options['out']}: {corpus['train']:,} tweets to train on, {corpus['heldout']:,} held out")
