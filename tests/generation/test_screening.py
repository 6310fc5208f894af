"""What no person's tweet may hold no bot's may either; and what is kept of those that were dropped."""

from collections.abc import Sequence

import pytest

from game.pool import personal, unsafe
from game.pool.near import similarity
from game.pool.services import Near
from generation import rules
from generation.backends.base import Sample
from generation.rules import (
    RUN_BYTES,
    WORD_BYTES,
    Drop,
    HashedSet,
    Knowledge,
    LengthProfile,
    explain,
    run_hashes,
    screen,
    word_hash,
    words_of,
)
from generation.screening import KEPT_SAMPLES, Fallen, Screening
from scraping import rules as scraping_rules
from scraping.rules import Cleaning, Post, clean

LEARNED = "On Sunday we counted all the owls of the old barn twice, and then we went home."
EXTRA = (
    "call ring me at write to ada bullshit said what a number this is the herons stayed away from pond until evening nobody saw them again"
)
KNOWLEDGE = Knowledge(
    HashedSet.of((word_hash(word) for word in words_of(f"{LEARNED} {EXTRA} @ada")), WORD_BYTES),
    HashedSet.of(run_hashes(LEARNED), RUN_BYTES),
    LengthProfile(400, (1.0,)),
)
ONE = "The herons stayed away from the pond until evening, and nobody saw them again."
OTHER = "Nobody counted the owls of this barn on Sunday, said Ada."


def screening(near: object = None, known: frozenset[bytes] = frozenset()) -> Screening:
    return Screening("en", KNOWLEDGE, lambda marks: set(marks) & known, near)  # type: ignore[arg-type]


def samples(*texts: str) -> list[Sample]:
    return [Sample(text, True) for text in texts]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Ring me at 617-635-4500, said the owl.", "personal data"),
        ("Write to ada@barn.example about the owls.", "personal data"),
        ("We counted what owls at 12 Barn Road this Sunday.", "personal data"),
        ("What bullsh1t, said the owl of this barn.", "unsafe word"),
        ("The owls stayed away, f.u.c.k the herons.", "unsafe word"),
    ],
)
def test_people_and_bots_may_not_say_the_same_things(text: str, reason: str) -> None:
    assert clean(Post(text=text, handle="ada"), Cleaning()) == scraping_rules.Drop(reason)
    assert screen(text, finished=True, language="en", knowledge=KNOWLEDGE) == Drop(reason)


def test_both_sides_ask_the_same_functions() -> None:
    for side in (rules, scraping_rules):
        assert (side.personal_data, side.unsafe_words) == (personal.personal_data, unsafe.unsafe_words)


@pytest.mark.parametrize(
    ("text", "drop", "detail"),
    [
        ("Ring me at 617-635-4500, said the owl.", Drop.PERSONAL, "phone number"),
        ("What bullsh1t, said the bitch of this barn.", Drop.UNSAFE, "bullshit, bitch"),
        ("The herons zwooped and the owls blorfed away.", Drop.MADE_UP_WORD, "zwooped, blorfed"),
        ("The herons of @nobody_here stayed away until evening.", Drop.UNKNOWN_HANDLE, "@nobody_here"),
        (f"Nobody saw: {LEARNED}", Drop.COPIED, "on sunday we counted all the owls of"),
        ("The herons stayed away", Drop.TOO_SHORT, ""),
    ],
)
def test_it_is_told_what_exactly_was_wrong(text: str, drop: Drop, detail: str) -> None:
    assert screen(text, finished=True, language="en", knowledge=KNOWLEDGE) == drop
    assert explain(text, drop, KNOWLEDGE) == detail


def test_near_copies_of_the_pool_and_of_the_batch_are_dropped() -> None:
    asked: list[list[str]] = []

    def near(texts: Sequence[str]) -> list[Near | None]:
        asked.append(list(texts))
        return [Near(7, OTHER, 0.83) if text.startswith("Nobody") else None for text in texts]

    sieve = screening(near)
    again = ONE.replace("evening", "Sunday")
    other = OTHER.replace("this", "the")
    assert sieve.screen(samples(ONE, other, again)) == [ONE, other, again]
    assert sieve.keep_unlike([ONE, other, again]) == [ONE]
    assert sieve.dropped == {Drop.NEAR: 2}
    assert sieve.fallen == [Fallen(Drop.NEAR, other, "83% alike", 7), Fallen(Drop.NEAR, again, f"of this batch: {ONE}")]
    assert similarity(ONE, again) > 0.5
    # What is asked for later knows of what was kept before.
    assert sieve.keep_unlike([ONE.replace("herons", "owls")]) == []
    assert asked == [[ONE, other, again], [ONE.replace("herons", "owls")]]


def test_without_a_pool_to_ask_nobody_minds_near_copies() -> None:
    assert screening().keep_unlike([ONE, ONE.replace("evening", "Sunday")]) == [ONE, ONE.replace("evening", "Sunday")]


def test_a_few_of_each_reason_are_kept_and_none_with_personal_data() -> None:
    sieve = screening()
    sieve.screen([Sample(f"Ring me at 617-635-45{number}, said the owl, and", number % 2 == 0) for number in range(10, 40)])
    assert sieve.dropped == {Drop.INCOMPLETE: 15, Drop.PERSONAL: 15}
    assert len(sieve.fallen) == 2 * KEPT_SAMPLES
    assert {each.text for each in sieve.fallen} == {"Ring me at [phone number], said the owl, and"}
    assert {each.detail for each in sieve.fallen} == {"", "phone number"}
