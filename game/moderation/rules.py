"""What a moderator may say of a tweet, which tweets two people look at, and how far two people agree."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from game.play.rules import wilson_interval

# By the digit that is pressed after `r`.
REASONS: dict[str, str] = {
    "1": "not a tweet of this category",
    "2": "reply or piece of a conversation",
    "3": "unsafe or cruel",
    "4": "personal data",
    "5": "advertisement or spam",
    "6": "other language",
    "7": "gives itself away",
    "8": "broken text",
    "9": "other",
}
# Guesses after which a tweet can be said to be too easy, and the share of right ones that makes it so.
EASY_GUESSES, EASY_SHARE = 30, 0.95


class Verdict(StrEnum):
    """What a moderator says of a tweet; to flag it is to ask somebody else."""

    APPROVE = "approve"
    REJECT = "reject"
    FLAG = "flag"


def goes_to_two(fingerprint: bytes, share: float) -> bool:
    """Say whether two people decide on the tweet with this fingerprint: by hash, always the same ones, `share` (0 to 1) of all."""
    # Salted: the bytes of the fingerprint itself have decided on the split.
    mark = blake2b(bytes(fingerprint), digest_size=8, person=b"double review").digest()
    return int.from_bytes(mark, "big") < share * 2**64


def is_too_easy(*, right: int, guesses: int) -> bool:
    """Say whether players see through a tweet so often that it is no fun."""
    return guesses >= EASY_GUESSES and right >= EASY_SHARE * guesses


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a category's rules make of a tweet by themselves, and why."""

    after: str
    reason: str


# Words of the game.pool tables, which rules can't import.
_PENDING, _APPROVED, _REJECTED = "pending", "approved", "rejected"


def rule(*, status: str, flags: Sequence[str], rejects: Collection[str], approves: bool, decided: bool) -> Ruling | None:
    """Return what becomes of a tweet with the `flags` that no person has seen; None if that is left to people.

    `rejects` are the flags with which its category rejects, `approves` says whether it approves this one without a flag, `decided`
    whether a person has had anything to do with it: then only flags since count, and nothing is approved.
    """
    if status not in (_PENDING, _APPROVED):
        return None
    if fatal := [flag for flag in flags if flag in rejects]:
        return Ruling(_REJECTED, f"flag: {fatal[0]}")
    if not approves or decided:
        return None
    if status == _PENDING and not flags:
        return Ruling(_APPROVED, "no flag")
    if status == _APPROVED and flags:
        return Ruling(_PENDING, f"flag: {flags[0]}")
    return None


@dataclass(frozen=True, slots=True)
class Kappa:
    """How far two people agree beyond chance: `value` up to 1, and its 95 % interval; None where it is undefined."""

    value: float | None
    n: int
    low: float | None
    high: float | None


def cohen_kappa(table: Mapping[tuple[str, str], int]) -> Kappa:
    """Return Cohen's κ of a table that counts how often one person said the first word of a key, and the other the second.

    Cohen, J. (1960), "A coefficient of agreement for nominal scales". It is undefined where chance alone makes both agree
    always: nothing was seen, or both said one and the same word throughout. As in his paper the interval takes chance as known, but
    that of the share of agreement is Wilson's: it holds what it says from ten tweets on, where the usual ones don't (docs/adr/0009).
    """
    n = sum(table.values())
    words = {word for pair in table for word in pair}
    if n == 0:
        return Kappa(None, 0, None, None)
    rows = {word: sum(count for (one, _), count in table.items() if one == word) / n for word in words}
    columns = {word: sum(count for (_, other), count in table.items() if other == word) / n for word in words}
    agreed = sum(count for (one, other), count in table.items() if one == other)
    by_chance = sum(rows[word] * columns[word] for word in words)
    if math.isclose(by_chance, 1.0):
        return Kappa(None, n, None, None)
    value = (agreed / n - by_chance) / (1 - by_chance)
    low, high = ((share - by_chance) / (1 - by_chance) for share in wilson_interval(agreed, n))
    return Kappa(value, n, max(-1.0, low), min(1.0, high))
