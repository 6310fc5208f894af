"""Near-copies: texts that differ in a word, a number, an ending or the order of their sentences.

Marks find the few texts of a pool that may be near; `similarity` says whether they are. What was tried: docs/adr/0012-near-copies.md.
"""

import re
from zlib import crc32

# Of the runs of letters that either of two texts has, how many both must have.
NEAR = 0.6
RUN_LETTERS = 5
_NOT_WORD = re.compile(r"[\W_]+")


def letter_runs(text: str) -> frozenset[int]:
    """Return the hashes of all runs of letters of `text`; case, punctuation and white space do not count."""
    letters = f" {_NOT_WORD.sub(' ', text.casefold()).strip()} ".encode()
    return frozenset(crc32(letters[start : start + RUN_LETTERS]) for start in range(max(len(letters) - RUN_LETTERS + 1, 1)))


def similarity(one: str, other: str) -> float:
    """Return how alike two texts are: 1 if they have all runs of letters in common, 0 if none (Jaccard's index)."""
    ours, theirs = letter_runs(one), letter_runs(other)
    return len(ours & theirs) / len(ours | theirs)
