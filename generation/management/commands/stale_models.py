from typing import Any

from django.core.management.base import BaseCommand

from generation.versions import stale_models


class Command(BaseCommand):
    help = "List the models that learned from tweets which were withdrawn since; retraining replaces them."

    def handle(self, *args: Any, **options: Any) -> None:
        stale = stale_models()
        for each in stale:
            authors = ", ".join(f"@{author}" for author in each.authors)
            tweets = f"{each.tweets:,} withdrawn tweet{'s' if each.tweets > 1 else ''}"
            model = each.model_version
            base = f", {each.through_base:,} of them through its base" if each.through_base else ""
            self.stdout.write(f"{model.category.slug}: {model} ({model.state}) learned from {tweets} by {authors}{base}")
        if not stale:
            self.stdout.write("No model learned from a tweet that is withdrawn.")
