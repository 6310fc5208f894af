"""A run that is done by the command that asked for it."""

from django.core.management.base import OutputWrapper

from scraping.console import RunConsole
from scraping.models import ScrapeRun
from scraping.runs import ScrapeError, put_back
from scraping.work import carry_out


def do_here(run: ScrapeRun, out: OutputWrapper) -> None:
    """Carry a run out, and tell on `out` how it goes; raises ScrapeError, with the run taken back, if another one is at work."""
    with RunConsole(out) as console:
        done = carry_out(run_id=run.pk, tell=console.tell, when_stopped=ScrapeRun.State.FAILED)
    if done is None:
        put_back(run=run)
        raise ScrapeError(f"{run.category.slug} has another run at work: wait for it, or cancel it.")
