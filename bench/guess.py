"""guess.*: what a guess costs over HTTP, and how many statements PostgreSQL gets to see of it."""

import re
from itertools import count

from bench.client import Player
from bench.report import NotMeasured, Row
from bench.timing import interleave
from tests.stack import DATABASE, Stack

SMALL, MIDDLE, BIG = "pool-1k", "pool-10k", "pool-1m"
TURNS, WARM_UP = 400, 40
# Guesses whose statements are counted, per pool: two whole rounds, for a round's last guess does more.
COUNTED = 20
UNCOUNTED = 10  # while the web process opens its connections
_STATEMENT = re.compile(rb" LOG:  (?:statement|execute [^:]*): ")


def measure(stack: Stack) -> list[Row]:
    """Time guesses in turns with the bare view; count the statements of guesses in a small and in a big pool."""
    player = Player(stack.port)
    player.next_guess(MIDDLE)
    tweets = count(1)
    medians = interleave(
        {"guess": lambda: _guess(player, player.next_guess(MIDDLE)), "floor": lambda: _ask_floor(player, next(tweets))},
        turns=TURNS,
        warm_up=WARM_UP,
    )
    small, big = _count_statements(stack, (SMALL, BIG))
    return [
        Row(
            "guess.vs_floor",
            round(medians["guess"] / medians["floor"], 3),
            2.0,
            "ratio",
            f"{medians['guess'] * 1e3:.2f} / {medians['floor'] * 1e3:.2f} ms",
        ),
        Row("guess.queries", max(small | big), 8, "statements", f"{sorted(small)} in {SMALL}, {sorted(big)} in {BIG}"),
        Row("guess.queries_growth", max(big) - max(small), 0, "statements", f"more in {BIG} than in {SMALL}"),
    ]


def _guess(player: Player, path: str) -> float:
    status, page = player.post(path, {"verdict": "human"}, htmx=True)
    if status != 200 or "You said Human" not in page:
        raise NotMeasured(f"No reveal after a guess: the game answered {status}.")
    return player.seconds


def _ask_floor(player: Player, tweet: int) -> float:
    status, _ = player.post("/bench/floor/", {"tweet": str(tweet), "verdict": "human"}, htmx=True)
    if status != 200:
        raise NotMeasured(f"The bare view answered {status}.")
    return player.seconds


def _count_statements(stack: Stack, categories: tuple[str, ...]) -> list[set[int]]:
    """Return, per category, the numbers of statements that guesses made: BEGIN, COMMIT and the connection pool's checks count."""
    _restart_web(stack, "SET log_statement = 'all'")
    log = stack.var / "log" / "postgres.log"
    counts = []
    for category in categories:
        player = Player(stack.port)
        found = []
        for _ in range(UNCOUNTED + COUNTED):
            path = player.next_guess(category)
            start = log.stat().st_size
            _guess(player, path)
            found.append(len(_STATEMENT.findall(log.read_bytes()[start:])))
        counts.append(set(found[UNCOUNTED:]))
    _restart_web(stack, "RESET log_statement")
    return counts


def _restart_web(stack: Stack, change: str) -> None:
    """Change a setting of the database, which takes effect in new connections."""
    stack.stop("web")
    with stack.connect() as connection:
        connection.execute(f"ALTER DATABASE {DATABASE} {change}")
    stack.start_web()
