from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, transaction

from game.database import unserved
from game.pool.models import Category
from scraping import runs
from scraping.catalogue import SOURCES
from scraping.commanding import check_slug, dollars, end_like_ctrl_c, get_category, whole
from scraping.console import print_result
from scraping.feeds import add_handles, file_of, sync_file
from scraping.handle_lists import HandlesError, read_handles
from scraping.here import do_here
from scraping.models import ScrapeRun
from scraping.orders import estimate_cost


class Command(BaseCommand):
    help = "Fetch what is new from the accounts of a category: those of scraping/handles/CATEGORY.txt, and those added by hand."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("category", help="slug, as in football-clubs; made if it does not exist and handles are known")
        parser.add_argument("--source", action="append", default=[], choices=sorted(SOURCES), help="only from this one (repeatable)")
        parser.add_argument(
            "--handle", action="append", default=[], metavar="SOURCE:HANDLE", help="add this account to the category (repeatable)"
        )
        parser.add_argument("--language", metavar="CODE", help="ISO 639-1 code that a new category gets (default: en)")
        parser.add_argument("--cap", type=whole, metavar="N", help="posts per account in this run (default: SCRAPE_CAP)")
        parser.add_argument("--budget", type=dollars, metavar="DOLLARS", help="what a source that costs money may cost")
        parser.add_argument("--ask-again", action="store_true", help="also ask sources that have sent us away")

    def handle(self, *args: Any, **options: Any) -> None:
        run = None
        try:
            with end_like_ctrl_c():
                with transaction.atomic():
                    run = self._start(options)
                self._estimate(run)
                do_here(run, self.stderr)
        except (runs.ScrapeError, HandlesError) as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(f"{unserved(error)} Run it again to go on.") from error
        except KeyboardInterrupt:
            if run:
                print_result(run, self.stdout)
            raise CommandError("Interrupted: what is counted is stored. Run it again to go on.") from None
        print_result(run, self.stdout)
        if run.state != ScrapeRun.State.DONE:
            raise CommandError(run.error)

    def _start(self, options: dict[str, Any]) -> ScrapeRun:
        check_slug(options["category"])
        if not all(handle.strip() for handle in options["handle"]):
            raise CommandError("--handle is empty: write it as in bluesky:name.bsky.social.")
        text = "\n".join(options["handle"])
        read_handles(options["handle"], where="--handle")
        category = Category.objects.filter(slug=options["category"]).first()
        if category is None or options["language"]:
            if category is None and not text and not file_of(Category(slug=options["category"])).is_file():
                raise CommandError(
                    f"{options['category']!r} is no category, and has no list of accounts: write one into scraping/handles/"
                    f"{options['category']}.txt, or add --handle bluesky:name.bsky.social."
                )
            # Nothing of it can be played before a moderator has looked at it.
            category = get_category(options["category"], options["language"], active=False)
        sync_file(category=category)
        if text:
            add_handles(category=category, text=text)
        if options["ask_again"]:
            for name in SOURCES:
                runs.forget_ban(name=name)
        if left := runs.find_run_to_go_on(category=category, task=ScrapeRun.Task.SCRAPE):
            self.stderr.write(f"Going on with scrape {left.pk}, which was left unfinished.")
            return left
        return runs.start_run(
            category=category, by=None, sources=options["source"], cap=options["cap"], budget=options["budget"], here=True
        )

    def _estimate(self, run: ScrapeRun) -> None:
        """Say beforehand what a run may cost."""
        most = estimate_cost(category=run.category, sources=tuple(run.sources), cap=run.cap).dollars
        if most:
            budget = run.budget or Decimal(0)
            self.stderr.write(f"This may cost up to ${most:.2f}; it stops at ${budget:.2f}, of which ${run.spent:.2f} are spent.")
