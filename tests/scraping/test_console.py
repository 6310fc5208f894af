"""What a terminal is told of a run."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from game.pool.models import Category
from scraping.console import summary_line
from scraping.models import ScrapeRun, Visit


@pytest.mark.parametrize(
    ("visits", "line"),
    [
        ([Visit(state="done", posts=1_200, new=30, kept=20)], "1 of 1 account, 1,200 posts, 30 new, 20 kept"),
        ([Visit(state="skipped"), Visit(state="running", posts=7)], "1 of 2 accounts, 7 posts, 0 new, 0 kept"),
    ],
)
def test_how_far_a_run_is_fits_one_line(visits: list[Visit], line: str) -> None:
    assert summary_line(ScrapeRun.Task.SCRAPE, visits) == line


def test_a_database_that_goes_away_is_told_with_what_to_look_at(category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OperationalError("the connection\nis closed")

    monkeypatch.setattr("scraping.management.commands.check_deleted.do_here", fail)
    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("check_deleted", category.slug, stdout=out, stderr=StringIO())
    assert (out.getvalue(), str(error.value)) == (
        "",
        "PostgreSQL does not serve us: the connection is closed (Does `make play` run, or is DATABASE_URL right?) Run it again to go on.",
    )
