"""What may be asked, what of the answers is shown, and in which mood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.pool.rules import normalise
from generation.duel.rules import (
    MAX_CHARACTERS,
    MAX_KEY,
    MAX_TYPED,
    MAX_WORDS,
    BadPrompt,
    Mood,
    breaks_off,
    clean_prompt,
    cut_to_last_sentence,
    distinct,
    majority,
    mood_of,
    prompt_key,
    shares,
)

POSITIVE, NEUTRAL, NEGATIVE = Mood.POSITIVE, Mood.NEUTRAL, Mood.NEGATIVE
TYPED = st.text(max_size=300) | st.lists(st.text(min_size=1, max_size=30), max_size=40).map(" ".join)


@pytest.mark.parametrize(
    ("typed", "prompt"),
    [
        ("I think", "I think"),
        ("  I \n think\t", "I think"),
        ("\u201cFine\u201d\u2026 it\u2019s &amp; was", '"Fine"... it\'s & was'),
        (" ".join(["a"] * 25), " ".join(["a"] * 20)),
        ("word " * 30, ("word " * 20).strip()),
        ("abcdefghi " * 20, ("abcdefghi " * 10).strip()),
        ("a" * 100, "a" * 100),
        ("a" * 60 + " " + "b" * 60, "a" * 60),
        ("\U0001f426", "\U0001f426"),
    ],
)
def test_a_prompt_is_written_like_all_text_and_cut_behind_a_word(typed: str, prompt: str) -> None:
    assert clean_prompt(typed) == prompt


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Type how a tweet begins"),
        (" \n\t ", "Type how a tweet begins"),
        ("\u200d\ufe0f", "Type how a tweet begins"),
        ("a" * 300, "The first word alone is longer than 100 characters"),
        ("a" * (MAX_TYPED + 1), "no beginning but a whole story"),
        ("Look\x07 at me", "control characters"),
        ("Look\x00 at me", "control characters"),
        ("Look \U000e0041 at me", "can't be shown"),
        ("\ufdfa" * 20, "can't be shown"),
        ("@someone I think", "no replies"),
        ("RT @someone: I think", "no replies"),
        ("Look at https://example.com", "No links"),
        ("Look at example.com/page", "No links"),
        ("<b>I think</b>", "No HTML"),
        ("Write to me at jo.doe@example.org", "address or number"),
        ("Call me at (212) 555-0147", "address or number"),
        ("What the fuck", "does not belong in a class"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(typed: str, words: str) -> None:
    with pytest.raises(BadPrompt, match=words) as error:
        clean_prompt(typed)
    assert "\n" not in str(error.value)


@given(TYPED)
def test_cutting_splits_no_word_and_exceeds_nothing(typed: str) -> None:
    try:
        prompt = clean_prompt(typed)
    except BadPrompt:
        return
    words = normalise(typed).split()
    assert prompt.split() == words[: len(prompt.split())]
    assert 0 < len(prompt) <= MAX_CHARACTERS
    assert len(prompt.split()) <= MAX_WORDS
    # Not one word less than fits.
    longer = " ".join(words[: len(prompt.split()) + 1])
    assert longer == prompt or len(longer) > MAX_CHARACTERS or len(longer.split()) > MAX_WORDS


@given(TYPED)
def test_a_prompt_that_was_cleaned_is_clean(typed: str) -> None:
    try:
        prompt = clean_prompt(typed)
    except BadPrompt:
        return
    assert clean_prompt(prompt) == prompt
    assert 0 < len(prompt_key(prompt)) <= MAX_KEY


@given(TYPED)
def test_the_key_of_a_key_is_itself(typed: str) -> None:
    assert prompt_key(prompt_key(typed)) == prompt_key(typed)


@pytest.mark.parametrize("typed", ["i THINK", "  I   think ", "I\u00a0think", "\uff29 \uff34hink"])
def test_case_width_and_space_make_no_other_prompt(typed: str) -> None:
    assert prompt_key(typed) == "i think"


def test_marks_and_letters_make_another_prompt() -> None:
    assert len({prompt_key(typed) for typed in ("I think", "I think.", "Ithink", "I thinks")}) == 4


@pytest.mark.parametrize(
    ("compound", "mood"),
    [(1, POSITIVE), (0.05, POSITIVE), (0.0499, NEUTRAL), (0, NEUTRAL), (-0.0499, NEUTRAL), (-0.05, NEGATIVE), (-1, NEGATIVE)],
)
def test_a_mood_begins_at_a_twentieth(compound: float, mood: Mood) -> None:
    assert mood_of(compound) == mood


@pytest.mark.parametrize(
    ("moods", "most"),
    [
        ([], None),
        ([NEUTRAL], NEUTRAL),
        ([POSITIVE, NEGATIVE, NEGATIVE], NEGATIVE),
        ([NEGATIVE, POSITIVE], NEGATIVE),
        ([NEUTRAL, POSITIVE, NEGATIVE, NEGATIVE, POSITIVE], POSITIVE),
    ],
)
def test_of_equally_frequent_moods_the_better_completions_one_is_the_majority(moods: list[Mood], most: Mood | None) -> None:
    assert majority(moods) == most


def test_shares_name_every_mood() -> None:
    assert shares([POSITIVE, POSITIVE, NEGATIVE, POSITIVE]) == {POSITIVE: 0.75, NEUTRAL: 0.0, NEGATIVE: 0.25}
    assert shares([]) == {}


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("I think so. And then the", "I think so."),
        ('I think so! "Really?" she said and', 'I think so! "Really?"'),
        ("I think so... but it was", "I think so..."),
        ("I think Mr. Heron and Dr. Wren went", ""),
        ("I think the U.S. is a", ""),
        ("I think it costs 3.5 and", ""),
        ("I think it was 1999. Or so they", "I think it was 1999."),
        ("I think. And then the", ""),
        ("I think", ""),
    ],
)
def test_an_unfinished_text_ends_with_its_last_whole_sentence(text: str, cut: str) -> None:
    assert cut_to_last_sentence(text, prompt="I think") == cut


@given(st.text(alphabet="ab .!?\"'", max_size=80))
def test_a_cut_text_is_a_beginning_that_goes_beyond_the_prompt(rest: str) -> None:
    text = "I think" + rest
    cut = cut_to_last_sentence(text, prompt="I think")
    assert text.startswith(cut)
    assert not cut or any(character.isalpha() for character in cut[len("I think") :])


@pytest.mark.parametrize(("text", "broken"), [("Look at this:", True), ("Herons and", False), ("Herons,", True), ("Herons!", False)])
def test_a_text_that_ends_in_a_colon_breaks_off(text: str, broken: bool) -> None:
    assert breaks_off(text) is broken


def test_of_texts_that_say_nearly_the_same_the_first_stays() -> None:
    texts = [
        "I think the herons will be back in the spring.",
        "I think the herons will be back in the Spring!",
        "I think nobody knows how to count the wrens.",
        "I think the herons will be back in the springs.",
    ]
    assert distinct(texts, prompt="I think") == [texts[0], texts[2]]


def test_a_prompt_in_common_makes_no_near_copies() -> None:
    prompt = "When the first snow fell on the old harbour the whole town came out to see"
    texts = [f"{prompt} the gulls.", f"{prompt} nothing at all."]
    assert distinct(texts, prompt=prompt) == texts
