"""What is marked in a text for whoever decides on it: words that a rule minds, and what sets two near-copies apart."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

# Of how many words something can consist that a rule minds: "+49 30 123 45 67", "4711 Old Mill Road", eight in a row from training.
LONGEST = 8
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text, marked or not."""

    text: str
    marked: bool = False


def mark_words(text: str, minds: Callable[[str], object]) -> list[Piece]:
    """Return `text` in pieces, marking the shortest runs of words that `minds` finds something in."""
    words = list(_WORD.finditer(text))
    taken = [False] * len(words)
    spans = []
    for length in range(1, min(LONGEST, len(words)) + 1):
        for first in range(len(words) - length + 1):
            start, end = words[first].start(), words[first + length - 1].end()
            if not any(taken[first : first + length]) and minds(text[start:end]):
                taken[first : first + length] = [True] * length
                spans.append((start, end))
    return list(_cut(text, sorted(spans)))


def mark_differences(one: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Return both texts in pieces, marking the words that the other does not have at that place."""
    ours, theirs = list(_WORD.finditer(one)), list(_WORD.finditer(other))
    matcher = SequenceMatcher(None, [word[0] for word in ours], [word[0] for word in theirs], autojunk=False)
    changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    mine = [(ours[start].start(), ours[end - 1].end()) for _, start, end, _, _ in changes if start < end]
    others = [(theirs[start].start(), theirs[end - 1].end()) for _, _, _, start, end in changes if start < end]
    return list(_cut(one, mine)), list(_cut(other, others))


def _cut(text: str, spans: list[tuple[int, int]]) -> Iterator[Piece]:
    at = 0
    for start, end in spans:
        if at < start:
            yield Piece(text[at:start])
        yield Piece(text[start:end], marked=True)
        at = end
    if at < len(text):
        yield Piece(text[at:])
