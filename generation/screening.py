"""What becomes of samples before any is chosen: which pass, why the others don't, and a few of those to look at."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from game.pool.near import Shelf
from game.pool.personal import hide_personal_data
from game.pool.rules import fingerprint, normalise
from game.pool.services import Near
from generation import rules
from generation.backends.base import Sample
from generation.rules import Drop, Knowledge

# Dropped samples of one batch that are kept for each reason.
KEPT_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Fallen:
    """A sample that was dropped: why, what exactly was wrong, and which tweet of the pool it says nearly the same as."""

    reason: Drop
    text: str
    detail: str = ""
    tweet: int | None = None


@dataclass(slots=True)
class Screening:
    """What became of the samples of one batch so far.

    `known` says which of some fingerprints the pool holds already, `near` which tweet of the pool each of some texts is a near-copy of;
    without it nobody minds near-copies, within the batch neither.
    """

    language: str
    knowledge: Knowledge
    known: Callable[[Iterable[bytes]], set[bytes]]
    near: Callable[[Sequence[str]], Sequence[Near | None]] | None = None
    dropped: Counter[Drop] = field(default_factory=Counter)
    fallen: list[Fallen] = field(default_factory=list)
    _seen: set[bytes] = field(default_factory=set)
    _shelf: Shelf = field(default_factory=Shelf)

    def screen(self, samples: Iterable[Sample]) -> list[str]:
        """Return the texts that pass by themselves and are new, as the pool keeps them; near-copies are among them."""
        fit = []
        for sample in samples:
            outcome = rules.screen(sample.text, finished=sample.finished, language=self.language, knowledge=self.knowledge)
            if isinstance(outcome, Drop):
                self.drop(outcome, sample.text)
            else:
                fit.append(outcome)
        return self._drop_duplicates(fit)

    def _drop_duplicates(self, texts: Sequence[str]) -> list[str]:
        marks = [fingerprint(text) for text in texts]
        self._seen |= self.known(marks)
        new = []
        for text, mark in zip(texts, marks, strict=True):
            if mark in self._seen:
                self.drop(Drop.DUPLICATE, text)
            else:
                self._seen.add(mark)
                new.append(text)
        return new

    def keep_unlike(self, texts: Sequence[str]) -> list[str]:
        """Return the texts that are no near-copies, neither of a tweet of the pool nor of a text that was returned before."""
        if self.near is None:
            return list(texts)
        passed = []
        for text, near in zip(texts, self.near(texts), strict=True):
            if near:
                self.drop(Drop.NEAR, text, f"{near.similarity:.0%} alike", near.tweet)
            elif mate := self._shelf.put(text):
                self.drop(Drop.NEAR, text, f"of this batch: {mate}")
            else:
                passed.append(text)
        return passed

    def drop(self, reason: Drop, text: str, detail: str = "", tweet: int | None = None) -> None:
        """Count a sample as dropped, and keep it if it is among the first of its reason."""
        self.dropped[reason] += 1
        if self.dropped[reason] <= KEPT_SAMPLES:
            detail = detail or rules.explain(text, reason, self.knowledge)
            # Made up or not, nobody's number is kept for others to read.
            self.fallen.append(Fallen(reason, hide_personal_data(normalise(text)), hide_personal_data(detail), tweet))
