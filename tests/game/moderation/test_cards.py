"""What the pages show of a tweet: marks in its text, its flags in words, the name that it goes by."""

from itertools import pairwise

import pytest

from game.moderation.cards import to_card
from game.moderation.marks import Piece, mark_differences, mark_words
from game.moderation.selectors import Item, Note
from game.moderation.tokens import BadToken, tweet_id_of, tweet_token


def marked(pieces: list[Piece]) -> str:
    return "".join(f"[{piece.text}]" if piece.marked else piece.text for piece in pieces)


def item(text: str, *notes: Note) -> Item:
    return Item(tweet_id=1, text=text, notes=notes)


def test_words_that_differ_are_marked_on_both_sides() -> None:
    ours, theirs = mark_differences("The owl saw two mice\nand slept.", "The owl saw three mice and slept again.")
    assert marked(ours) == "The owl saw [two] mice\nand [slept.]"
    assert marked(theirs) == "The owl saw [three] mice and [slept again.]"


def test_what_one_has_more_is_marked_there_alone() -> None:
    ours, theirs = mark_differences("An owl.", "An owl. At last.")
    assert (marked(ours), marked(theirs)) == ("An owl.", "An owl. [At last.]")


def test_the_shortest_run_of_words_is_marked_that_a_rule_minds() -> None:
    assert marked(mark_words("Call  020 7946 0958, owls.", lambda words: "7946 0958" in words)) == "Call  020 [7946 0958,] owls."


@pytest.mark.parametrize("text", ["", "Owl.", "Owls are up late."])
def test_what_no_rule_minds_is_left_whole(text: str) -> None:
    assert marked(mark_words(text, lambda words: False)) == text


def test_personal_data_is_marked_where_its_flag_stands() -> None:
    note = Note("personal", "personal data", "phone number", "")
    card = to_card(item("The owl answers at +44 20 7946 0958 by night.", note))
    assert (marked(card.pieces), card.chips) == ("The owl answers at +44 [20 7946 0958] by night.", ["personal data: phone number"])


def test_nothing_is_marked_without_a_flag() -> None:
    assert marked(to_card(item("The owl answers at +44 20 7946 0958.")).pieces) == "The owl answers at +44 20 7946 0958."


def test_a_near_copy_is_shown_beside_the_other_one() -> None:
    card = to_card(item("An owl.", Note("near", "near-duplicate", "87% alike", "An owl!")))
    assert card.chips == ["near-duplicate: 87% alike"]
    assert [(marked(pair.ours), marked(pair.theirs)) for pair in card.pairs] == [("An [owl.]", "An [owl!]")]


def test_words_from_training_are_marked() -> None:
    note = Note("copied", "copied from training", "the owl saw two mice and a hen", "")
    card = to_card(item("Oh: the Owl saw two mice, and a hen! Again.", note))
    assert (marked(card.pieces), card.chips) == ("Oh: [the Owl saw two mice, and a hen!] Again.", ["copied from training"])


def test_a_token_stands_for_one_tweet_and_tells_nothing_of_its_neighbours() -> None:
    tokens = [tweet_token(pk) for pk in range(1, 2_001)]
    assert [tweet_id_of(token) for token in tokens] == list(range(1, 2_001))
    assert {len(token) for token in tokens} == {13}
    # Neighbours share no more letters than chance has it: one in 32 at each of twelve places.
    pairs = [zip(token[:12], after[:12], strict=True) for token, after in pairwise(tokens)]
    shared = sum(one == other for pair in pairs for one, other in pair)
    assert 600 < shared < 900


@pytest.mark.parametrize(
    "token", ["", "1", "aaaaaaaaaaaaa", "no such tweet", "ééééééééééééé", tweet_token(5).upper(), f"{tweet_token(5)}a"]
)
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(BadToken):
        tweet_id_of(token)
