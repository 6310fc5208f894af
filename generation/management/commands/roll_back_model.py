from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from game.pool.models import Category
from generation.versions import PromotionError, roll_back


class Command(BaseCommand):
    help = "Let the model write for a category again that did before the present one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("category", help="slug")
        parser.add_argument("--reason", default="", help="written down with it")

    def handle(self, *args: Any, **options: Any) -> None:
        category = Category.objects.filter(slug=options["category"]).first()
        if category is None:
            raise CommandError(f"No category {options['category']!r}.")
        try:
            model = roll_back(category=category, by=None, reason=options["reason"])
        except PromotionError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{model} writes for {category.slug} again.")
