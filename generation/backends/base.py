"""What every backend offers, and how it fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class UnusableModelError(Exception):
    """A model's folder can't be used; the message names the folder and what is wrong with it."""


class BackendError(Exception):
    """Generating failed in a way that another try may not: out of memory, a device that went away."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn: of the `topk` likeliest (0: all), those that make up `topp` of the probability."""

    topk: int
    topp: float
    temperature: float
    max_tokens: int

    def __post_init__(self) -> None:
        if self.topk < 0 or not 0 < self.topp <= 1 or self.temperature <= 0 or self.max_tokens < 1:
            raise ValueError(f"no model can sample with {self}")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Sampling":
        """Read the settings of a model card; KeyError or ValueError if they are not complete or make no sense."""
        return cls(int(settings["topk"]), float(settings["topp"]), float(settings["temperature"]), int(settings["max_tokens"]))


@dataclass(frozen=True, slots=True)
class Sample:
    """A text that a model wrote, and whether the model itself ended it."""

    text: str
    finished: bool
    # What `likelihoods` says of the text, where writing it has told already.
    likelihood: float | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a model's texts begin and end with, spelled as the tokenizer of the server that runs it reads it; "" for nothing."""

    start: str = "<|startoftweet|>"
    end: str = "<|endoftweet|>"

    def __post_init__(self) -> None:
        if not isinstance(self.start, str) or not isinstance(self.end, str):
            raise ValueError("`served` must give `start` and `end` as texts")


class Backend(Protocol):
    """A loaded model."""

    def generate(self, *, count: int, sampling: Sampling, prompt: str = "") -> list[Sample]:
        """Write `count` texts that begin with `prompt`, which they hold; raises BackendError."""

    def likelihoods(self, texts: Sequence[str], *, max_tokens: int) -> list[float]:
        """Return the mean log-probability of each text's tokens and its end, in nats; raises BackendError.

        Of a longer text the first `max_tokens` count.
        """
