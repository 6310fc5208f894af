from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from training.cards import write_card
from training.steps.recipe import StepError, load_recipe


class Command(BaseCommand):
    help = "Write the card of a model that was fine-tuned, exported and evaluated."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("recipe", type=Path, metavar="RECIPE.toml")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            card = write_card(recipe=load_recipe(options["recipe"]))
        except (StepError, OSError) as error:
            raise CommandError(str(error)) from error
        for key, value in card["scores"].items():
            self.stdout.write(f"{key:16} {value:g}")
