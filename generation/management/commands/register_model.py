from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from game.pool.models import Category
from generation.backends.base import UnusableModelError
from generation.loading import Runs, try_out
from generation.models import ModelVersion
from generation.versions import PromotionError, promote_model, register_model


class Command(BaseCommand):
    help = "Register the model in a folder as a candidate to write for a category, whatever runs it (docs/generation.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("category", help="slug")
        parser.add_argument(
            "folder", type=Path, help="with card.json, words.bin, runs.bin, profile.json, and the weights unless a server has them"
        )
        parser.add_argument("--backend", choices=ModelVersion.Backend.values, default=ModelVersion.Backend.CTRANSLATE2.value)
        parser.add_argument("--server", default="", metavar="URL", help="of the backend http, up to and including /v1")
        parser.add_argument("--served-as", default="", metavar="NAME", help="what that server calls the model")
        parser.add_argument("--base", type=Path, help="folder of what the model was fine-tuned from, for what that learned (learned.bin)")
        parser.add_argument("--promote", action="store_true", help="let it write from now on")

    def handle(self, *args: Any, **options: Any) -> None:
        category = Category.objects.filter(slug=options["category"]).first()
        if category is None:
            raise CommandError(f"No category {options['category']!r}.")
        runs = Runs(options["backend"], options["server"], options["served_as"])
        try:
            try_out(options["folder"].resolve(), runs)
            with transaction.atomic():
                base = options["base"] and options["base"].resolve()
                model = register_model(category=category, folder=options["folder"].resolve(), base=base, runs=runs)
                if options["promote"] and model.state != ModelVersion.State.ACTIVE:
                    promote_model(model_version=model, by=None, reason="registered by a command")
        except (UnusableModelError, PromotionError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{model} ({model.backend}) is registered for {category.slug}: {model.state}.")
