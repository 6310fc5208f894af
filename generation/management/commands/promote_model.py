from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from generation.models import ModelVersion
from generation.versions import PromotionError, promote_model


class Command(BaseCommand):
    help = "Let a model version write for its category from now on; what it replaces is retired."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="of the model")
        parser.add_argument("number", type=int, nargs="?", metavar="version", help="default: the newest")
        parser.add_argument("--reason", default="", help="written down with it")

    def handle(self, *args: Any, **options: Any) -> None:
        models = ModelVersion.objects.filter(name=options["name"]).select_related("category").order_by("-version")
        if options["number"] is not None:
            models = models.filter(version=options["number"])
        model = models.first()
        if model is None:
            known = ", ".join(map(str, ModelVersion.objects.order_by("name", "version")))
            raise CommandError(f"No such model. There are: {known or 'none yet'}.")
        try:
            promote_model(model_version=model, by=None, reason=options["reason"])
        except PromotionError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{model} writes for {model.category.slug}.")
