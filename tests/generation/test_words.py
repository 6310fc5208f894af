"""Words, runs of words, and the hashed sets that a model's folder keeps of them."""

import pytest

from generation.rules import RUN_BYTES, WORD_BYTES, HashedSet, is_copied, made_up_words, run_hashes, word_hash, words_of


def test_words_are_casefolded_and_numbers_are_none() -> None:
    text = "I\N{RIGHT SINGLE QUOTATION MARK}m at @Mill_Pond's e-mail desk: 10,000 WRENS, 2nd try! #Birds2016"
    assert words_of(text) == ["i'm", "at", "@mill_pond", "s", "e", "mail", "desk", "wrens", "nd", "try", "#birds2016"]


def test_hashes_are_the_same_everywhere() -> None:
    # As `b2sum -l 32` and `-l 64` print them, read from the little end: files written on one machine are read on another.
    assert word_hash("heron") == 3228743794
    assert list(run_hashes("a b c d e f g h")) == [6481242033219284609]


def test_a_run_is_eight_words_whatever_stands_between_them() -> None:
    assert list(run_hashes("one two three four five six seven")) == []
    assert list(run_hashes("One, two - three: four 4 five! Six seven EIGHT.")) == list(
        run_hashes("one two three four five six seven eight")
    )
    assert len(list(run_hashes("one two three four five six seven eight nine ten"))) == 3


@pytest.mark.parametrize("width", [WORD_BYTES, RUN_BYTES])
def test_a_hashed_set_survives_its_file(width: int) -> None:
    top = 2 ** (8 * width) - 1
    hashes = HashedSet.of([9, 3, top, 9, 0], width)
    data = hashes.to_bytes()
    assert data == b"".join(value.to_bytes(width, "little") for value in (0, 3, 9, top))
    again = HashedSet.from_bytes(data, width)
    assert again == hashes
    assert [value in again for value in (0, 1, 3, 9, 10, top)] == [True, False, True, True, False, True]


@pytest.mark.parametrize("data", [b"\x02\0\0\0\x01\0\0\0", b"\x01\0\0\0\x01\0\0\0", b"\x01\0\0"])
def test_a_file_that_is_no_hashed_set_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a sorted set of hashes|bytes length not a multiple of item size"):
        HashedSet.from_bytes(data, WORD_BYTES)


def test_a_made_up_word_is_one_that_nobody_wrote() -> None:
    known = HashedSet.of(map(word_hash, ["the", "heron", "sings", "@mill"]), WORD_BYTES)
    assert made_up_words("The heron's herony SINGS 12 @mill @mall", known) == ["herony", "@mall"]


def test_a_text_is_copied_if_it_shares_eight_words_in_a_row() -> None:
    runs = HashedSet.of(run_hashes("At dawn the old heron waits beside the quiet pond"), RUN_BYTES)
    assert is_copied("Look: old heron waits beside the quiet pond!", runs) is False
    assert is_copied("Look: dawn! The old heron waits beside the quiet pond", runs) is True
