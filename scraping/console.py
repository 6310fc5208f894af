"""A run on somebody's terminal: bars while it goes on, or plain lines where nobody looks; a table when it is over."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from scraping.models import ScrapeRun, Visit
from scraping.rules import Drop
from scraping.words import counted

SECONDS_BETWEEN_LINES = 5.0
# What is told of the visits of a run, by its task: a title, and the field.
COLUMNS: dict[str, dict[str, str]] = {
    ScrapeRun.Task.SCRAPE: {"posts": "posts", "new": "new", "kept": "kept"},
    ScrapeRun.Task.CHECK: {"posts asked about": "posts", "gone": "new"},
}
# Bars of accounts at a time: the others wait, or are over.
BARS = 12


class RunConsole:
    """Tells how a run goes; give its `tell` to scraping.work.carry_out."""

    def __init__(self, out: OutputWrapper) -> None:
        self.out = out
        self.said_at = time.monotonic()
        self.bars: dict[int, TaskID] = {}
        self.all: TaskID | None = None
        self.progress: Progress | None = None
        if out.isatty():
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[unit]}"),
            )
            self.progress = Progress(*columns, TimeElapsedColumn(), console=Console(file=out))  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        if self.progress:
            self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.progress:
            self.progress.stop()

    def tell(self, run: ScrapeRun, visits: Sequence[Visit], line: str) -> None:
        """Show how far the visits of a run are, and say `line` if it is not empty."""
        if self.progress:
            self._draw(self.progress, visits)
            if line:
                self.progress.console.print(line, markup=False, highlight=False)
            return
        if line:
            self.out.write(line)
        elif time.monotonic() - self.said_at >= SECONDS_BETWEEN_LINES:
            self.said_at = time.monotonic()
            self.out.write(summary_line(run.task, visits))

    def _draw(self, progress: Progress, visits: Sequence[Visit]) -> None:
        over = sum(visit.finished_at is not None or visit.state in (Visit.State.DONE, Visit.State.SKIPPED) for visit in visits)
        if self.all is None:
            self.all = progress.add_task("all accounts", total=len(visits), unit="accounts")
        progress.update(self.all, total=len(visits), completed=over)
        for visit in visits:
            running = visit.state == Visit.State.RUNNING
            bar = self.bars.get(visit.pk)
            if running and bar is None and len(self.bars) < BARS:
                # How many posts an account has nobody says beforehand.
                bar = self.bars[visit.pk] = progress.add_task(str(visit.feed), total=None, unit="posts")
            if bar is not None:
                progress.update(bar, completed=visit.posts)
                if not running:
                    progress.remove_task(self.bars.pop(visit.pk))


def summary_line(task: str, visits: Sequence[Visit]) -> str:
    """Return how far a run is, in one line."""
    over = sum(visit.state not in (Visit.State.WAITING, Visit.State.RUNNING) for visit in visits)
    return ", ".join(
        [f"{over} of {counted(len(visits), 'account')}", *(f"{count:,} {title}" for title, count in _totals(task, visits).items())]
    )


def run_table(task: str, visits: Sequence[Visit]) -> Table:
    """Return the closing table of a run: a row an account, and one for all."""
    table = Table("account", "ended")
    for title in COLUMNS[task]:
        table.add_column(title, justify="right")
    for visit in visits:
        ended = f"{visit.state}: {visit.note}" if visit.note else visit.state
        table.add_row(str(visit.feed), ended, *(f"{count:,}" for count in _totals(task, [visit]).values()))
    table.add_section()
    table.add_row("all", "", *(f"{total:,}" for total in _totals(task, visits).values()))
    return table


def _totals(task: str, visits: Sequence[Visit]) -> dict[str, int]:
    return {title: sum(getattr(visit, name) for visit in visits) for title, name in COLUMNS[task].items()}


def drop_lines(visits: Sequence[Visit]) -> list[str]:
    """Return what was dropped and why, most first."""
    counts: dict[str, int] = {}
    for visit in visits:
        for name, count in visit.dropped.items():
            counts[name] = counts.get(name, 0) + count
    return [f"dropped, {Drop[name]}: {count:,}" for name, count in sorted(counts.items(), key=lambda row: -row[1])]


def print_result(run: ScrapeRun, out: OutputWrapper) -> None:
    """Print what a run came to."""
    run.refresh_from_db()
    visits = list(Visit.objects.filter(run=run).select_related("feed").order_by("feed__source", "feed__handle"))
    done = run.state == ScrapeRun.State.DONE
    if done and not visits:
        out.write("There was nothing to ask about.")
    # Where nothing came of anything the error says why, once for all.
    elif done or any(visit.pages or visit.posts for visit in visits):
        Console(file=out, width=100).print(run_table(run.task, visits))  # type: ignore[arg-type]
    for line in [*drop_lines(visits), *run.note.splitlines()]:
        out.write(line)
    if run.spent:
        out.write(f"It cost about ${run.spent:.2f}.")
