"""How well people tell, in figures: a share with its interval; d', its interval and the lean. Pure: counts in, figures out."""

import math
from dataclasses import dataclass
from statistics import NormalDist

from game.play.rules import Z_95, wilson_interval

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Counts:
    """What was said of machine's texts and of people's: the four ways in which an answer can fall out."""

    machine_as_machine: int = 0
    machine_as_human: int = 0
    human_as_machine: int = 0
    human_as_human: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.machine_as_machine + other.machine_as_machine,
            self.machine_as_human + other.machine_as_human,
            self.human_as_machine + other.human_as_machine,
            self.human_as_human + other.human_as_human,
        )

    @property
    def machine(self) -> int:
        """Return how many answers there were on machine's texts."""
        return self.machine_as_machine + self.machine_as_human

    @property
    def human(self) -> int:
        """Return how many answers there were on people's texts."""
        return self.human_as_machine + self.human_as_human

    @property
    def said_machine(self) -> int:
        """Return how often machine was said."""
        return self.machine_as_machine + self.human_as_machine

    @property
    def said_human(self) -> int:
        """Return how often human was said."""
        return self.machine_as_human + self.human_as_human

    @property
    def right(self) -> int:
        """Return how many answers were right."""
        return self.machine_as_machine + self.human_as_human

    @property
    def wrong(self) -> int:
        """Return how many took a person for a bot, or a bot for a person."""
        return self.machine_as_human + self.human_as_machine

    @property
    def answered(self) -> int:
        """Return how many answers there were."""
        return self.machine + self.human


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `whole`, and the 95 % interval of the rate (game.play.rules.wilson_interval)."""

    part: int
    whole: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Detection:
    """How far somebody tells machine from human, whatever they like to say: `d_prime`, its 95 % interval, and `criterion` with its own.

    A d' of 0 is a coin, of 1 is right 69 times in 100, of 2 84 times, of 3 93 times, for who leans to neither side. A criterion
    above 0 leans to "human", below 0 to "machine".
    """

    d_prime: float
    low: float
    high: float
    criterion: float
    criterion_low: float
    criterion_high: float

    @property
    def margin(self) -> float:
        """Return how far the interval of d' reaches to either side."""
        return self.high - self.d_prime


def share(part: int, whole: int) -> Share | None:
    """Return `part` of `whole` as a rate with its interval; None of nothing."""
    return Share(part, whole, part / whole, *wilson_interval(part, whole)) if whole else None


def detection(counts: Counts) -> Detection | None:
    """Return d' with machine as the signal; None where no machine's text, or no person's, was answered.

    Hits are machine's texts taken for machine's, false alarms people's texts taken for machine's. With h hits of n signals and f
    false alarms of m others, both rates are log-linear, H = (h + 1/2) / (n + 1) and F = (f + 1/2) / (m + 1), so that nobody is
    infinitely good: Hautus, M. J. (1995), "Corrections for extreme proportions and their biasing effects on estimated values of d'".
    d' = z(H) - z(F), criterion c = -(z(H) + z(F)) / 2: Macmillan, N. A. & Creelman, C. D. (2005), "Detection theory", chapters 1, 2.
    var(d') = H(1 - H) / (n φ(z(H))²) + F(1 - F) / (m φ(z(F))²), var(c) a quarter of it: Gourevitch, V. & Galanter, E. (1967), "A
    significance test for one parameter isosensitivity functions". The intervals are normal ones, and take answers for independent.
    """
    if not counts.machine or not counts.human:
        return None
    z_hit, hit_variance = _z_and_variance(counts.machine_as_machine, counts.machine)
    z_alarm, alarm_variance = _z_and_variance(counts.human_as_machine, counts.human)
    half = Z_95 * math.sqrt(hit_variance + alarm_variance)
    d_prime, criterion = z_hit - z_alarm, -(z_hit + z_alarm) / 2
    return Detection(d_prime, d_prime - half, d_prime + half, criterion, criterion - half / 2, criterion + half / 2)


def _z_and_variance(said: int, of: int) -> tuple[float, float]:
    rate = (said + 0.5) / (of + 1)
    z = _NORMAL.inv_cdf(rate)
    return z, rate * (1 - rate) / (of * _NORMAL.pdf(z) ** 2)


def headline(counts: Counts) -> str:
    """Return one sentence on how a class did; a claim only where the interval of d' bears it."""
    if not counts.answered:
        return "Nobody has answered yet."
    found = detection(counts)
    if found is None:
        return "Only bots wrote so far." if counts.machine else "Only people wrote so far."
    if found.low > 0:
        return "Hardly a bot gets past this class." if found.d_prime >= 2 else "This class can tell."
    return "The bots have this class fooled." if found.high < 0 else "A coin would have done about as well."


def say_lean(found: Detection) -> str:
    """Return one sentence on what somebody would rather say, whoever wrote it."""
    if found.criterion_low > 0:
        return "In doubt, it says Human."
    return "In doubt, it says Bot." if found.criterion_high < 0 else "It leans to neither side."
