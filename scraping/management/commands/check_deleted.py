from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from game.database import unserved
from game.pool.models import Category
from scraping import runs
from scraping.catalogue import SOURCES
from scraping.commanding import dollars, end_like_ctrl_c
from scraping.console import print_result
from scraping.here import do_here
from scraping.models import ScrapeRun
from scraping.orders import estimate_cost


class Command(BaseCommand):
    help = "Ask the sources whether what was kept of them is still there, and erase what was deleted, made private or closed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("category", nargs="?", help="slug; without one, all categories in turn")
        parser.add_argument(
            "--source", action="append", default=[], choices=sorted(SOURCES), help="only what came from this one (repeatable)"
        )
        parser.add_argument("--budget", type=dollars, metavar="DOLLARS", help="what a source that costs money may cost, for each category")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["category"]
        categories = list(Category.objects.filter(slug=slug) if slug else Category.objects.order_by("slug"))
        if slug and not categories:
            known = ", ".join(Category.objects.order_by("slug").values_list("slug", flat=True))
            raise CommandError(f"{slug!r} is no category. There are: {known or 'none yet'}.")
        problems = []
        for category in categories:
            if len(categories) > 1:
                self.stdout.write(f"{category.slug}:")
            try:
                self._check(category, options)
            except CommandError as error:
                if len(categories) == 1:
                    raise
                problems.append(f"{category.slug}: {error}")
        if problems:
            raise CommandError(" ".join(problems))

    def _check(self, category: Category, options: dict[str, Any]) -> None:
        run = None
        try:
            run = self._start(category, options)
            estimate = estimate_cost(category=category, sources=tuple(run.sources), task=run.task)
            if estimate.dollars:
                budget = run.budget or Decimal(0)
                self.stderr.write(
                    f"Asking about {estimate.posts:,} posts may cost up to ${estimate.dollars:.2f}; it stops at ${budget:.2f}, of which"
                    f" ${run.spent:.2f} are spent. What is not asked about is first the next time."
                )
            with end_like_ctrl_c():
                do_here(run, self.stderr)
        except runs.ScrapeError as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(f"{unserved(error)} Run it again to go on.") from error
        except KeyboardInterrupt:
            if run:
                print_result(run, self.stdout)
            raise CommandError("Interrupted: what is counted is done. Run it again to go on.") from None
        print_result(run, self.stdout)
        if run.state != ScrapeRun.State.DONE:
            raise CommandError(run.error)

    def _start(self, category: Category, options: dict[str, Any]) -> ScrapeRun:
        if left := runs.find_run_to_go_on(category=category, task=ScrapeRun.Task.CHECK):
            self.stderr.write(f"Going on with check {left.pk}, which was left unfinished.")
            return left
        return runs.start_run(
            category=category, by=None, task=ScrapeRun.Task.CHECK, sources=options["source"], budget=options["budget"], here=True
        )
