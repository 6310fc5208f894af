from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from game.starter import StarterError, load_starter
from generation.backends.base import UnusableModelError
from scraping.formats import UnreadableFile


class Command(BaseCommand):
    help = "Load the starter: two categories of real tweets, and the models shipped for them. What is there already stays."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            models = load_starter(tell=self.stdout.write)
        except (StarterError, UnreadableFile, UnusableModelError, OSError, OperationalError) as error:
            raise CommandError(" ".join(str(error).split())) from error
        self.stdout.write(f"Starter loaded; models: {', '.join(map(str, models)) or 'none'}.")
