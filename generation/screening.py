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
        """Return the texts that pass, as the pool keeps them."""
        fit = []
        for sample in samples:
            outcome = rules.screen(sample.text, finished=sample.finished, language=self.language, knowledge=self.knowledge)
            if isinstance(outcome, Drop):
                self.drop(outcome, sample.text)
            else:
                fit.append(outcome)
        new = self._drop_duplicates(fit)
        return self._drop_near(new, self.near(new)) if self.near else new

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

    def _drop_near(self, texts: Sequence[str], nearest: Sequence[Near | None]) -> list[str]:
        passed = []
        for text, near in zip(texts, nearest, strict=True):
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
