"""Drawing, scoring and the words for a result. No Django, no clock, no randomness of its own."""

import math
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

CARDS_PER_ROUND = 10
TOKEN_PATTERN = r"[\w-]{22}"
# Two-sided 95 % of the normal distribution.
Z_95 = 1.959963984540054


def new_token() -> str:
    """Return 22 random URL-safe characters (128 bits) that say nothing about what they name."""
    return secrets.token_urlsafe(16)


def is_token(text: str) -> bool:
    """Say whether `text` could be a token at all."""
    return re.fullmatch(TOKEN_PATTERN, text, re.ASCII) is not None


class Random(Protocol):
    """The part of `random.Random` that drawing uses."""

    def random(self) -> float:
        """Return a float in [0, 1)."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Where one draw looks: the first unseen tweet of `kind` whose draw key is `key` or more."""

    kind: str
    key: float


def plan_draws(*, count: int, rng: Random) -> list[Draw]:
    """Return `count` draws, each human or machine by a fair coin of its own.

    Independent coins, not a shuffled half-and-half deck: then the cards already seen say
    nothing about those to come.
    """
    return [Draw("human" if rng.random() < 0.5 else "machine", rng.random()) for _ in range(count)]


def wilson_interval(right: int, guesses: int, z: float = Z_95) -> tuple[float, float]:
    """Return the score interval of a rate, both ends in [0, 1]; (0, 1) without guesses.

    Wilson, E. B. (1927), "Probable inference, the law of succession, and statistical inference".
    Its lower end ranks the leaderboard: many good guesses beat one lucky one.
    """
    if guesses == 0:
        return 0.0, 1.0
    centre = right + z * z / 2
    half = z * math.sqrt(right * (guesses - right) / guesses + z * z / 4)
    return max(0.0, (centre - half) / (guesses + z * z)), min(1.0, (centre + half) / (guesses + z * z))


@dataclass(frozen=True, slots=True)
class Score:
    """How a round stands."""

    right: int
    guessed: int


def headline(score: Score, fooled_by: Sequence[str]) -> str:
    """Return one sentence for the result of a whole round; `fooled_by` holds the truths guessed wrong."""
    if score.right == score.guessed:
        return "Nothing got past you."
    bots_taken_for_people = sum(kind == "machine" for kind in fooled_by)
    people_taken_for_bots = len(fooled_by) - bots_taken_for_people
    if score.right <= score.guessed // 4:
        return "The bots send their thanks."
    if score.right * 2 == score.guessed:
        return "A coin would have done as well."
    if bots_taken_for_people > 2 * people_taken_for_bots:
        return "You think well of machines."
    if people_taken_for_bots > 2 * bots_taken_for_people:
        return "You see bots where there are people."
    return "You can mostly tell." if score.right * 2 > score.guessed else "Hard to tell, isn't it?"
