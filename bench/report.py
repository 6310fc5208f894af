"""Rows of figures: a table for people, JSON for machines."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table


class NotMeasured(Exception):
    """What kept a figure from being measured, for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, and the most it may be; or, with `least`, the least."""

    name: str
    value: float
    goal: float
    unit: str
    note: str = ""
    least: bool = False

    @property
    def met(self) -> bool:
        """Say whether the figure is within its goal."""
        return self.value >= self.goal if self.least else self.value <= self.goal


def build_table(rows: Iterable[Row]) -> Table:
    """Return the table that the terminal shows."""
    table = Table()
    table.add_column("row")
    table.add_column("value", justify="right")
    table.add_column("goal", justify="right")
    table.add_column("unit")
    table.add_column("")
    table.add_column("how it came about", overflow="fold")
    for row in rows:
        word = "met" if row.met else "missed"
        table.add_row(
            row.name,
            f"{row.value:g}",
            f"{'≥' if row.least else '≤'} {row.goal:g}",
            row.unit,
            word,
            row.note,
            style=None if row.met else "bold red",
        )
    return table


def write_json(path: Path, rows: Sequence[Row], *, keep: bool) -> None:
    """Write {"row": {"value": x, "goal": y, "unit": "..."}}; `keep` the rows of the file that were not measured now."""
    kept = json.loads(path.read_text(encoding="utf-8")) if keep and path.exists() else {}
    measured = {row.name: {"value": row.value, "goal": row.goal, "unit": row.unit} for row in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept | measured, indent=2) + "\n", encoding="utf-8")
