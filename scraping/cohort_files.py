"""From counted overlaps to lists of handles that `manage.py scrape` can read."""

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO

from django.db.models.functions import Now

from scraping.cohorts import Overlap, Purse, count_overlaps, look_up, why_not
from scraping.manners import Manners
from scraping.models import Cohort, Seed
from scraping.optouts import read_opt_outs
from scraping.rules import PLATFORMS
from scraping.sources.base import Account

# Accounts that pass in more than one camp.
BOTH = "both"


@dataclass(slots=True)
class Lists:
    """The accounts found, by list: one per camp, and one for those who belong to several."""

    cohort: Cohort
    least: int
    top: int
    # Seeds that were read, by camp.
    seeds: Counter[str]
    lines: dict[str, list[str]]
    passed: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    paths: dict[str, Path] = field(default_factory=dict)

    def list_of(self, overlap: Overlap) -> str:
        """Return the name of the list that an account belongs to."""
        camps = [camp for camp, count in zip(self.cohort.camps, overlap.counts, strict=True) if count >= self.least]
        return camps[0] if len(camps) == 1 else BOTH

    def is_full(self, name: str) -> bool:
        """Say whether a list has all the names it may have."""
        return len(self.lines[name]) >= self.top


def find_names(*, cohort: Cohort, least: int, top: int, manners: Manners, purse: Purse, tell: Callable[[str], None]) -> Lists:
    """Count the overlaps of a cohort that was read, and return the best `top` of each list, by name.

    Only those are looked up that may end up in a list. Raises what `manners.ask` does, and BudgetSpent.
    """
    names = [*cohort.camps, *([BOTH] if len(cohort.camps) > 1 else [])]
    seeds = Counter(cohort.seeds.exclude(followers=0).values_list("camp", flat=True))
    lists = Lists(cohort, least, top, seeds, {name: [] for name in names})
    # On disk, not in memory and not in an open transaction: looking names up may take hours.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        for overlap in count_overlaps(cohort=cohort, least=least):
            lists.passed[lists.list_of(overlap)] += 1
            print(overlap.follower, *overlap.counts, sep="\t", file=spool)
        wanted = sum(min(top, lists.passed[name]) for name in names)
        dollars = wanted * manners.abilities.price_of_account
        price = f", for about ${dollars:,.2f}" if dollars else ""
        tell(f"{lists.passed.total():,} accounts follow {least} or more seeds of a camp; looking up the names of {wanted:,}{price}.")
        spool.seek(0)
        _look_up(lists, spool, manners, purse)
    return lists


def _look_up(lists: Lists, spool: IO[str], manners: Manners, purse: Purse) -> None:
    outs, platform = read_opt_outs(), PLATFORMS[lists.cohort.source]
    rows = _wanted(lists, _read(spool))
    while batch := list(islice(rows, manners.abilities.accounts_at_once)):
        accounts = look_up(manners, purse, [overlap.follower for overlap in batch], by_id=True)
        for overlap, account in zip(batch, accounts, strict=True):
            name = lists.list_of(overlap)
            if reason := why_not(platform, account, account.handle, outs):
                lists.left_out[reason] += 1
            elif not lists.is_full(name):
                lists.lines[name].append(_line(lists, account, overlap))


def _read(spool: IO[str]) -> Iterator[Overlap]:
    for line in spool:
        follower, *counts = line.rstrip("\n").split("\t")
        yield Overlap(follower, tuple(map(int, counts)))


def _wanted(lists: Lists, overlaps: Iterable[Overlap]) -> Iterator[Overlap]:
    """Leave out what belongs to a list that is full by the time it is asked for."""
    return (overlap for overlap in overlaps if not lists.is_full(lists.list_of(overlap)))


def _line(lists: Lists, account: Account, overlap: Overlap) -> str:
    of = (f"{count} of {lists.seeds[camp]} {camp}" for camp, count in zip(lists.cohort.camps, overlap.counts, strict=True) if count)
    return f"{lists.cohort.source}:{account.handle}  # {', '.join(of)}"


def write_lists(*, lists: Lists, folder: Path) -> None:
    """Write each list as a file of handles, whole or not at all, and note that the cohort is found; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in lists.lines.items():
        path = folder / (f"{name}.txt" if name == BOTH else f"{name}-cohort.txt")
        who = "of more than one camp" if name == BOTH else f"of {name}"
        head = f"# {len(lines)} accounts on {lists.cohort.source} that follow {lists.least} or more seeds {who}, the most first.\n"
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            draft.write_text(head + "".join(f"{line}\n" for line in lines), encoding="utf-8")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        lists.paths[name] = path
    Cohort.objects.filter(pk=lists.cohort.pk, finished_at=None).update(finished_at=Now())


def skipped_seeds(cohort: Cohort) -> list[str]:
    """Return a line for each seed that was left out or not read to its end, and why."""
    noted = cohort.seeds.exclude(note="")
    return [f"{seed.handle}: {'left out, ' if seed.state == Seed.State.SKIPPED else ''}{seed.note}" for seed in noted]
