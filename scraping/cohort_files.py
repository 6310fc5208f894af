"""From counted overlaps to lists of handles that `manage.py scrape` can read."""

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db.models.functions import Now

from scraping.cohorts import BudgetSpent, Overlap, Purse, count_overlaps, look_up, why_not
from scraping.manners import Manners
from scraping.models import Cohort, Seed
from scraping.optouts import read_opt_outs
from scraping.rules import PLATFORMS
from scraping.sources.base import Account, Banned, NotConfigured, SourceError
from scraping.words import counted

# Accounts that pass in more than one camp.
BOTH = "both"
# Accounts that are looked up for one name in a list: of those who follow anybody many are gone.
LOOKS_PER_NAME = 10
# Servers in a row of which no answer came: then it is us who are cut off, not they.
MOST_DOWN = 10


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
    # Accounts that were asked for, by list.
    looked_up: Counter[str] = field(default_factory=Counter)

    def list_of(self, overlap: Overlap) -> str:
        """Return the name of the list that an account belongs to."""
        camps = [camp for camp, count in zip(self.cohort.camps, overlap.counts, strict=True) if count >= self.least]
        return camps[0] if len(camps) == 1 else BOTH

    def is_full(self, name: str) -> bool:
        """Say whether a list has all the names it may have."""
        return len(self.lines[name]) >= self.top

    def may_look(self, name: str) -> bool:
        """Say whether more accounts may be looked up for a list."""
        return self.looked_up[name] < self.top * LOOKS_PER_NAME


def find_names(*, cohort: Cohort, least: int, top: int, manners: Manners, purse: Purse, tell: Callable[[str], None]) -> Lists:
    """Count the overlaps of a cohort that was read, and return the best `top` of each list, by name.

    Only those are looked up that may end up in a list, LOOKS_PER_NAME times `top` of each at most. Of many servers some
    are always down: accounts there are left out. Raises what `manners.ask` does otherwise, BudgetSpent and CohortError.
    """
    names = list(paths_of(cohort.camps, Path()))
    seeds = Counter(cohort.seeds.exclude(followers=0).values_list("camp", flat=True))
    lists = Lists(cohort, least, top, seeds, {name: [] for name in names})
    # On disk, not in memory and not in an open transaction: looking names up may take hours.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        for overlap in count_overlaps(cohort=cohort, least=least):
            lists.passed[lists.list_of(overlap)] += 1
            print(overlap.follower, *overlap.counts, sep="\t", file=spool)
        tell(_announce(lists, manners.abilities.price_of_account))
        spool.seek(0)
        _look_up(lists, spool, manners, purse)
    for name in names:
        if not (lists.is_full(name) or lists.may_look(name)) and lists.looked_up[name] < lists.passed[name]:
            found = counted(len(lists.lines[name]), "name")
            tell(f"{name}: {lists.looked_up[name]:,} accounts came to {found}, and no more are looked up: a larger --top looks further.")
    return lists


def _announce(lists: Lists, price: float) -> str:
    """Return what is looked up now: a name for every place in a list, and more where accounts turn out to be gone."""
    wanted = sum(min(lists.top, count) for count in lists.passed.values())
    most = sum(min(lists.top * LOOKS_PER_NAME, count) for count in lists.passed.values())
    pass_ = counted(lists.passed.total(), "account follows", "accounts follow")
    money = f", for about ${wanted * price:,.2f}" if price else ""
    further = f", up to ${most * price:,.2f}" if price else ""
    more = f" Where some are gone or closed others take their place: {most:,} are looked at, at most{further}." if most > wanted else ""
    return f"{pass_} {lists.least} or more seeds of a camp; looking up the names of {wanted:,}{money}.{more}"


def _look_up(lists: Lists, spool: IO[str], manners: Manners, purse: Purse) -> None:
    outs, platform = read_opt_outs(), PLATFORMS[lists.cohort.source]
    down: dict[str, str] = {}
    in_a_row = 0
    rows = _wanted(lists, _read(spool), down)
    while batch := list(islice(rows, manners.abilities.accounts_at_once)):
        try:
            accounts = look_up(manners, purse, [overlap.follower for overlap in batch], by_id=True)
        except (Banned, BudgetSpent, NotConfigured):
            raise
        except SourceError as error:
            server = _server_of(lists.cohort.source, batch[0].follower)
            in_a_row += 1
            if not server or in_a_row >= MOST_DOWN:
                raise
            down[server] = str(error)
            lists.left_out[down[server]] += len(batch)
            continue
        in_a_row = 0
        for overlap, account in zip(batch, accounts, strict=True):
            name = lists.list_of(overlap)
            if reason := why_not(platform, account, account.handle, outs):
                lists.left_out[reason] += 1
            elif not lists.is_full(name):
                lists.lines[name].append(_line(lists, account, overlap))


def _server_of(source: str, follower: str) -> str:
    """Return which of many servers an account is looked up at; nothing where one answers for all."""
    return follower.rpartition("@")[2] if source == "mastodon" and not settings.SCRAPE_MASTODON_URL else ""


def _read(spool: IO[str]) -> Iterator[Overlap]:
    for line in spool:
        follower, *counts = line.rstrip("\n").split("\t")
        yield Overlap(follower, tuple(map(int, counts)))


def _wanted(lists: Lists, overlaps: Iterable[Overlap], down: Mapping[str, str]) -> Iterator[Overlap]:
    """Leave out what by the time it is asked for belongs to a list that looks for no more, or to a server in `down`."""
    for overlap in overlaps:
        name = lists.list_of(overlap)
        if lists.is_full(name) or not lists.may_look(name):
            continue
        if reason := down.get(_server_of(lists.cohort.source, overlap.follower)):
            lists.left_out[reason] += 1
            continue
        lists.looked_up[name] += 1
        yield overlap


def _line(lists: Lists, account: Account, overlap: Overlap) -> str:
    of = (f"{count} of {lists.seeds[camp]} {camp}" for camp, count in zip(lists.cohort.camps, overlap.counts, strict=True) if count)
    return f"{lists.cohort.source}:{account.handle}  # {', '.join(of)}"


def paths_of(camps: Iterable[str], folder: Path) -> dict[str, Path]:
    """Return where each list of a cohort goes."""
    paths = {camp: folder / f"{camp}-cohort.txt" for camp in camps}
    return paths | ({BOTH: folder / f"{BOTH}.txt"} if len(paths) > 1 else {})


def write_lists(*, lists: Lists, folder: Path) -> None:
    """Write each list as a file of handles, whole or not at all, and note that the cohort is found; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in paths_of(lists.cohort.camps, folder).items():
        lines = lists.lines[name]
        who = "of more than one camp" if name == BOTH else f"of {name}"
        accounts = counted(len(lines), f"account on {lists.cohort.source} that follows", f"accounts on {lists.cohort.source} that follow")
        head = f"# {accounts} {lists.least} or more seeds {who}, the most first.\n"
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
