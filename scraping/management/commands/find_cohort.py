import time
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from django.utils import timezone
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from game.database import unserved
from scraping.catalogue import SOURCES
from scraping.cohort_files import BOTH, Lists, find_names, paths_of, skipped_seeds, write_lists
from scraping.cohorts import CohortError, Purse, begin_cohort, collect_followers, drop_old_cohorts
from scraping.commanding import dollars, whole
from scraping.handle_lists import HandlesError, read_handles
from scraping.manners import Manners
from scraping.models import Cohort, Seed
from scraping.rules import PLATFORMS
from scraping.sources.base import SourceError

SECONDS_BETWEEN_LINES = 5.0


class Command(BaseCommand):
    help = "Find the accounts that follow most of some seed accounts, and write them as lists of handles. Each file of seeds is a camp."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--seeds", action="append", required=True, type=Path, metavar="FILE", help="handles of a camp, a line each (repeatable)"
        )
        parser.add_argument("--source", required=True, choices=sorted(name for name, source in SOURCES.items() if source.followers))
        parser.add_argument(
            "--min-overlap", required=True, type=whole, metavar="K", help="seeds of one camp that an account follows, at least"
        )
        parser.add_argument("--top", type=whole, default=1000, metavar="N", help="accounts of each list, at most (default: %(default)s)")
        parser.add_argument("--max-followers", type=whole, metavar="N", help="followers of one seed that are read, at most")
        parser.add_argument("--budget", type=dollars, metavar="DOLLARS", help="what a source that costs money may cost")
        parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the lists go (default: cohorts under VAR)")
        parser.add_argument(
            "--resume", action="store_true", help="count again what the same seeds brought last time, without asking for it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        source = options["source"]
        camps = _read_camps(options["seeds"], source)
        if all(len(handles) < options["min_overlap"] for handles in camps.values()):
            raise CommandError(f"No file of seeds has {options['min_overlap']} accounts: nobody can follow so many of them.")
        folder = options["out"] or Path(settings.VAR_DIR) / "cohorts"
        _spare_seeds(options["seeds"], paths_of(camps, folder).values())
        self._estimate(source, camps, options)
        drop_old_cohorts(now=timezone.now())
        try:
            cohort = begin_cohort(source=source, camps=camps, most=options["max_followers"], resume=options["resume"])
            purse = Purse(cohort, options["budget"])
            with Manners(name=source, say=self.stderr.write) as manners, _Progress(cohort, self.stderr) as progress:
                collect_followers(cohort=cohort, manners=manners, purse=purse, tell=progress)
                lists = find_names(
                    cohort=cohort,
                    least=options["min_overlap"],
                    top=options["top"],
                    manners=manners,
                    purse=purse,
                    tell=self.stderr.write,
                )
            write_lists(lists=lists, folder=folder)
        except (CohortError, SourceError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The lists can't be written: {error}. With --resume nothing has to be read again.") from error
        except OperationalError as error:
            raise CommandError(f"{unserved(error)} Run it again to go on.") from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted: what was read is kept. Run it again to go on.") from None
        self._print(lists, purse)

    def _estimate(self, source: str, camps: dict[str, list[str]], options: dict[str, Any]) -> None:
        price = SOURCES[source].price_of_account
        if not price:
            return
        seeds, most = sum(map(len, camps.values())), options["max_followers"]
        limit = f"at most ${seeds * most * price:,.2f} for {seeds} seeds" if most else "and how many the seeds have nobody says before"
        words = f"{source} costs ${price:.3f} for every follower read: ${price * 1000:,.2f} a thousand, {limit}."
        if options["budget"] is None:
            raise CommandError(f"{words} Say what it may be, as in --budget 50.")
        self.stderr.write(f"{words} It stops at ${options['budget']:.2f}.")

    def _print(self, lists: Lists, purse: Purse) -> None:
        table = Table("list", "seeds", "accounts that pass", "written", "to")
        for name, lines in lists.lines.items():
            seeds = str(lists.seeds[name]) if name in lists.seeds else ""
            table.add_row(name, seeds, f"{lists.passed[name]:,}", f"{len(lines):,}", str(lists.paths[name]))
        Console(file=self.stdout, width=140).print(table)  # type: ignore[arg-type]
        for reason, count in lists.left_out.most_common():
            self.stdout.write(f"left out, {reason}: {count:,}")
        for line in skipped_seeds(lists.cohort):
            self.stdout.write(f"seed {line}")
        if purse.spent:
            self.stdout.write(f"It cost about ${purse.spent:.2f}.")


def _read_camps(paths: list[Path], source: str) -> dict[str, list[str]]:
    """Return the handles of each file by its stem; raises CommandError."""
    camps: dict[str, list[str]] = {}
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            # A list of seeds has one source: where a handle does not name it, it is the one asked.
            named = [f"{source}:{line.strip()}" if _is_bare(line) else line for line in lines]
            handles = read_handles(named, where=path.name)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path} can't be read: {error}.") from error
        except HandlesError as error:
            raise CommandError(str(error)) from error
        if strange := next((each for each in handles if PLATFORMS[each.source] != PLATFORMS[source]), None):
            raise CommandError(f"{path.name}: {strange.source}:{strange.handle} is no account of {source}.")
        if not handles:
            raise CommandError(f"{path.name} names no seeds.")
        if path.stem.casefold() == BOTH:
            raise CommandError(f"{path.name}: {BOTH} is the list of those in more than one camp: give this file another name.")
        if path.stem in camps:
            raise CommandError(f"Two files are called {path.stem}: the name of a file is that of its camp.")
        camps[path.stem] = list(dict.fromkeys(each.handle for each in handles))
    return camps


def _spare_seeds(seeds: Sequence[Path], lists: Iterable[Path]) -> None:
    """Raise CommandError if one of the lists would be written over a file of seeds."""
    for path in lists:
        if path.exists() and any(path.samefile(seed) for seed in seeds):
            raise CommandError(f"{path} is a file of seeds, and a list would be written over it: name another folder by --out.")


def _is_bare(line: str) -> bool:
    text = line.partition("#")[0].strip()
    return bool(text) and ":" not in text


class _Progress:
    """A bar of seeds on a terminal, a plain line every few seconds elsewhere."""

    def __init__(self, cohort: Cohort, out: Any) -> None:
        self.cohort, self.out = cohort, out
        self.total = cohort.seeds.count()
        self.over = {seed.pk for seed in cohort.seeds.filter(state__in=[Seed.State.DONE, Seed.State.SKIPPED])}
        self.bar = tqdm(total=self.total, initial=len(self.over), unit="seed") if out.isatty() else None
        self.said_at = time.monotonic()
        if self.over or cohort.seeds.filter(state=Seed.State.READING).exists():
            out.write(f"Going on: {len(self.over)} of {self.total} seeds were read before.")

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, seed: Seed) -> None:
        if seed.state in (Seed.State.DONE, Seed.State.SKIPPED):
            self.over.add(seed.pk)
        if self.bar is not None:
            self.bar.set_postfix_str(f"{seed.handle}: {seed.followers:,} followers")
            self.bar.update(len(self.over) - self.bar.n)
        elif time.monotonic() - self.said_at >= SECONDS_BETWEEN_LINES:
            self.said_at = time.monotonic()
            self.out.write(f"{len(self.over)} of {self.total} seeds; {seed.handle}: {seed.followers:,} followers")
