from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from generation.backends.base import BackendError, UnusableModelError
from training.steps.recipe import StepError, load_recipe
from training.trials import Measured, measure, try_settings, with_settings


class Command(BaseCommand):
    help = "Measure an exported model as the game serves it, and write its card; or compare settings, without touching it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("recipe", type=Path, metavar="RECIPE.toml")
        parser.add_argument(
            "--try",
            dest="tries",
            action="append",
            default=[],
            metavar="KEY=VALUE,…",
            help="settings to measure instead of the recipe's, as temperature=0.9,topk=0; may be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            recipe = load_recipe(options["recipe"])
            for settings in options["tries"]:
                with_settings(recipe, settings)  # a mistake in the last one shows before the first one's minutes
            if not options["tries"]:
                self._print({"recipe": measure(recipe=recipe)})
            rows: dict[str, Measured] = {}
            for settings in options["tries"]:
                rows[settings] = try_settings(recipe=recipe, settings=settings)
                self._print(rows)
        except (StepError, UnusableModelError, BackendError, OSError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted: what was measured before is kept.") from None

    def _print(self, rows: dict[str, Measured]) -> None:
        table = Table("served", "n-grams", "likelihood", "made up", "people", "copied", "surface", "samples a text")
        for name, measured in rows.items():
            served, human = (measured.card["scores"][kind] for kind in ("served", "human"))
            feature, auc = max(served["features"].items(), key=lambda item: item[1])
            table.add_row(
                name,
                f"{served['ngram_auc']:.3f}",
                f"{served['likelihood_auc']:.3f}",
                f"{served['made_up']:.1%}",
                f"{human['made_up']:.1%}",
                f"{served['copied']:.1%}",
                f"{feature.replace('_', ' ')} {auc:.2f}",
                f"{measured.samples_per_text:.1f}",
            )
        Console(file=self.stdout, width=120).print(table)  # type: ignore[arg-type]
