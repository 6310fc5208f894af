"""A run from its claim to its end, whatever its task is and however it ends."""

from collections.abc import Callable

from django.db import OperationalError

from scraping.compliance import carry_out_check
from scraping.manners import Stopped
from scraping.models import ScrapeRun
from scraping.runs import ScrapeError, claim_run
from scraping.sources.base import SourceError
from scraping.walk import Cancelled, Tell, Walk


def carry_out(
    *,
    run_id: int,
    should_stop: Callable[[], bool] = lambda: False,
    tell: Tell = lambda run, visits, line: None,
    when_stopped: str = ScrapeRun.State.WAITING,
) -> ScrapeRun | None:
    """Do a run, from wherever it is, and return it; None if it is over, or another one of its category is at work.

    `should_stop` is asked several times a second; what is stopped waits for the next worker, or becomes `when_stopped`.
    """
    claim = claim_run(run_id=run_id)
    if claim is None:
        return None
    with claim:
        try:
            if claim.run.task == ScrapeRun.Task.CHECK:
                carry_out_check(claim=claim, should_stop=should_stop, tell=tell)
            else:
                Walk(claim, should_stop, tell).go()
        except Cancelled:
            claim.finish(ScrapeRun.State.CANCELLED)
        except (Stopped, KeyboardInterrupt, SystemExit) as stopped:
            if when_stopped == ScrapeRun.State.WAITING:
                claim.give_back()
            else:
                claim.finish(when_stopped, error="interrupted; what is done is kept, and the next run goes on there")
            if not isinstance(stopped, Stopped):
                raise
        except (ScrapeError, SourceError) as error:
            claim.finish(ScrapeRun.State.FAILED, error=str(error))
        except OperationalError:
            raise  # the database is away: nothing can be written down
        except BaseException as error:
            claim.finish(ScrapeRun.State.FAILED, error=f"{type(error).__name__}: {' '.join(str(error).split())}")
            raise
    return claim.run
