"""What the pool of a category holds already, as a batch asks for it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from game.pool.models import Category, Tweet
from game.pool.services import Near, find_near, mark_tweets

# The greatest id that this process knows to be marked, by category: so that it looks through all of a pool once, not for every batch.
_marked: dict[int, int] = {}
# Ids are given before they are seen: what an import is still storing may have smaller ones than what was marked last.
_LATE = 10_000


@dataclass(frozen=True, slots=True)
class Pool:
    """A category's tweets; marking a big pool for the first time `tell`s now and then that it goes on."""

    category: Category
    tell: Callable[[], None] = lambda: None

    def known(self, marks: Iterable[bytes]) -> set[bytes]:
        """Return which of these fingerprints the pool holds."""
        found = Tweet.objects.filter(category=self.category, fingerprint__in=list(marks))
        return set(map(bytes, found.values_list("fingerprint", flat=True)))

    def near(self, texts: Sequence[str]) -> list[Near | None]:
        """Return, for each text, the tweet that it is nearest to, if it is a near-copy: of what people or machines wrote until now."""
        before = _marked.get(self.category.pk, 0)
        _marked[self.category.pk] = max(before, mark_tweets(category=self.category, after=max(before - _LATE, 0), tell=self.tell))
        return find_near(category=self.category, texts=texts)
