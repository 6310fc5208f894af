"""duel.*: what a prompt costs that is known, and how long a new one waits for a worker that has other things to do."""

import re
import time
from functools import partial
from itertools import count
from statistics import median

import psycopg

from bench.client import Player
from bench.game import empty_game
from bench.report import NotMeasured, Row
from bench.timing import interleave
from tests.stack import Stack, wait_for

TURNS, WARM_UP = 400, 40
# New prompts, asked one after the other, and those before them, for which the models are loaded.
PROMPTS, LOADING = 10, 2
# More than the busy worker can write while it is measured, and fewer than the idle one already has.
# Its batches are short: each prompt waits for one, and what is measured is how long it waits besides.
BUSY = {"GENERATION_READY": "20000", "GENERATION_READY_AT_MOST": "20000", "GENERATION_BATCH_SIZE": "30"}
IDLE = {"GENERATION_READY": "10", "GENERATION_READY_AT_MOST": "10"}
LIMITS = {"RATE_DUEL": "1000000/m", "RATE_DUEL_NEW": "1000000/m"}
_PREPARE = """
from game.pool.models import Category
from generation.versions import register_starter_models
for slug in ("donald-trump", "hillary-clinton"):
    Category.objects.create(slug=slug, name=slug)
register_starter_models()
"""
_TOKEN = re.compile(r'/live/duel/([^/"]+)/|/duel/([\w-]{22})/')


def measure() -> list[Row]:
    """Start a game with the two shipped models; ask new prompts of an idle and of a busy worker, and a known one again and again."""
    with empty_game() as stack:
        stack.env |= {"DJANGO_SETTINGS_MODULE": "bench.settings", **LIMITS, **IDLE}
        stack.manage("collectstatic", "--noinput", "--verbosity", "0")
        stack.manage("shell", "--verbosity", "0", "-c", _PREPARE)
        stack.start_web()
        with stack.connect() as connection:
            return [_measure_new(stack, connection), _measure_known(stack, connection)]


def _measure_new(stack: Stack, connection: psycopg.Connection) -> Row:
    numbers = count(1)
    stack.start_worker()
    wait_for(lambda: _batches(connection, "done") > 1, what="the idle worker has what it needs", seconds=120)
    idle = median(seconds for seconds, _ in _ask_new(stack, connection, numbers))
    stack.stop("worker")
    stack.env |= BUSY
    stack.start_worker()
    wait_for(lambda: _batches(connection, "running") > 0, what="the worker is busy")
    busy = _ask_new(stack, connection, numbers)
    if not _batches(connection, "pending"):
        raise NotMeasured("The worker ran out of batches while it was to be busy.")
    stack.stop("worker")
    seconds, batch = (median(side) for side in zip(*busy, strict=True))
    return Row(
        "duel.new",
        round(median(seconds / (1.5 * idle + batch) for seconds, batch in busy), 3),
        1.0,
        "ratio",
        f"{seconds:.2f} s / (1.5 x {idle:.2f} s + a batch of {batch:.2f} s)",
    )


def _batches(connection: psycopg.Connection, state: str) -> int:
    return len(connection.execute("SELECT FROM generation_batch WHERE state = %s", [state]).fetchall())


def _ask_new(stack: Stack, connection: psycopg.Connection, numbers: "count[int]") -> list[tuple[float, float]]:
    """Return, for each of PROMPTS, the seconds from asking to full columns, and those of the longest batch that it waited for."""
    player = Player(stack.port)
    player.get("/duel/")
    measured = []
    for _ in range(LOADING + PROMPTS):
        player.connection.close()  # the server gives up one that is idle for five seconds
        start = time.perf_counter()
        token = _ask(player, f"We have {next(numbers)} good people and")
        wait_for(partial(_is_full, connection, token), what="both columns are full", seconds=600)
        measured.append((time.perf_counter() - start, _longest_batch(connection, token)))
    return measured[LOADING:]


def _longest_batch(connection: psycopg.Connection, token: str) -> float:
    row = connection.execute(
        """
        SELECT coalesce(max(extract(epoch FROM batch.finished_at - batch.started_at)), 0)::float
          FROM duel_prompt prompt JOIN generation_batch batch ON batch.finished_at > prompt.created_at AND batch.state = 'done'
         WHERE token = %s
        """,
        [token],
    ).fetchone()
    return row[0] if row else 0.0


def _ask(player: Player, text: str) -> str:
    status, page = player.post("/duel/", {"q": text}, htmx=True)
    found = _TOKEN.search(page)
    if status != 200 or found is None:
        raise NotMeasured(f"Asking a prompt was answered with {status}.")
    return found[1] or found[2]


def _is_full(connection: psycopg.Connection, token: str) -> bool:
    query = "SELECT col.state FROM duel_column col JOIN duel_prompt prompt ON prompt.id = prompt_id WHERE token = %s"
    return connection.execute(query, [token]).fetchall() == [("done",)] * 2


def _measure_known(stack: Stack, connection: psycopg.Connection) -> Row:
    (text, token) = connection.execute("SELECT text, token FROM duel_prompt ORDER BY id LIMIT 1").fetchone() or ("", "")
    player = Player(stack.port)
    player.get("/duel/")
    size = 0

    def ask_known() -> float:
        nonlocal size
        status, page = player.post("/duel/", {"q": text}, htmx=True)
        size = len(page)
        if status != 200 or page.count("column--done") != 2:
            raise NotMeasured(f"A known prompt was answered with {status}, and not with two columns.")
        return player.seconds

    def ask_floor() -> float:
        status, page = player.post("/bench/prompt/", {"token": token}, htmx=True)
        if (status, page) != (200, text):
            raise NotMeasured(f"The bare view answered {status}.")
        return player.seconds

    medians = interleave({"known": ask_known, "floor": ask_floor}, turns=TURNS, warm_up=WARM_UP)
    return Row(
        "duel.known",
        round(medians["known"] / medians["floor"], 3),
        2.0,
        "ratio",
        f"{medians['known'] * 1e3:.2f} / {medians['floor'] * 1e3:.2f} ms, {size / 1e3:.0f} kB",
    )
