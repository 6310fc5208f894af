import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.classroom.texts import LONGEST, MOST_HUMAN, BadText, Deal, clean_text, is_presentable, plan_deal, warnings

PROMPT = "Tonight we will"


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("paint the shed", "Tonight we will paint the shed"),
        ("  paint \n the\tshed  ", "Tonight we will paint the shed"),
        ("\u201cpaint\u201d the shed \u2013 it\u2019s\u2026", 'Tonight we will "paint" the shed - it\'s...'),
        ("paint &amp;amp; saw the shed", "Tonight we will paint & saw the shed"),
        (", as ever, paint it", "Tonight we will, as ever, paint it"),
        ("… paint the shed", "Tonight we will... paint the shed"),
        ("'ve been to the shed", "Tonight we will've been to the shed"),
        ("'paint' the shed", "Tonight we will 'paint' the shed"),
        ("#paint the shed 🎨", "Tonight we will #paint the shed 🎨"),
        ("pai\u200bnt the shed", "Tonight we will paint the shed"),
    ],
)
def test_what_is_typed_is_written_as_all_text_here(typed: str, text: str) -> None:
    assert clean_text(typed, prompt=PROMPT) == text


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "empty"),
        ("  \n ", "empty"),
        ("...", "empty"),
        ("🎨🎨", "empty"),
        ("go home", "short"),
        ("x" * 270, "long"),
        ("x" * 5_000, "long"),
        ("read it all on https://shed.example/paint", "link"),
        ("paint it <b>blue</b> all over", "markup"),
        ("say it: RT @shedfan paint it blue", "retweet"),
        ("write to shed.fan@mail.example about it", "personal"),
        ("call +1 202-456-1414 about the shed", "personal"),
        ("paint that shit blue all over", "unsafe"),
        ("paint the shed\U000e0041", "hidden"),
    ],
)
def test_what_no_class_should_see_is_refused_with_a_code_and_one_line(typed: str, code: str) -> None:
    with pytest.raises(BadText) as refusal:
        clean_text(typed, prompt=PROMPT)
    assert refusal.value.code == code
    assert str(refusal.value).endswith(".")
    assert "\n" not in str(refusal.value)


def test_the_lines_say_by_how_much_it_is_too_short_or_too_long() -> None:
    with pytest.raises(BadText, match=r"^That is a little short: 2 more, and it is long enough.$"):
        clean_text("go home.", prompt="Tonight we all")
    with pytest.raises(BadText, match=r"^That is 6 too many: all in all there is room for 280 characters.$"):
        clean_text("x" * 270, prompt=PROMPT)
    assert len(clean_text("x" * 264, prompt=PROMPT)) == LONGEST


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("Tonight we will paint the shed.", True),
        ("Tonight we will, as ever, paint it.", True),
        ("Tonight we willingly paint the shed.", False),
        ("Tonight he will paint the shed.", False),
        ("Tonight we will go.", False),
        (f"Tonight we will {'very ' * 60}soon paint it.", False),
        ("Tonight we will paint it: https://shed.example/", False),
    ],
)
def test_a_bots_text_is_one_that_a_student_could_have_handed_in(text: str, fits: bool) -> None:
    assert is_presentable(text, prompt=PROMPT) is fits


@given(st.text(max_size=300))
def test_whatever_students_hand_in_a_bots_text_could_be(typed: str) -> None:
    try:
        text = clean_text(typed, prompt=PROMPT)
    except BadText:
        return
    assert is_presentable(text, prompt=PROMPT)


def test_the_teacher_is_warned_of_what_is_unsafe_or_about_somebody_in_the_class() -> None:
    names = ["Kim", "Bold Otter", "Al"]
    assert warnings("Tonight we will paint the shed all over.", names=names) == []
    assert warnings("Tonight we will tell KIM's aunt, and the bold otter also.", names=names) == [
        "Names Kim, who is in the class",
        "Names Bold Otter, who is in the class",
    ]
    for number in ("0170 1234567", "0170.123.45.67", "01701234567", "0170/12-34-56"):
        assert warnings(f"Tonight we will call me {number} now.", names=[]) == [f"May be a telephone number: {number}"]
    assert warnings("Tonight we will party like it is 1999, or 2 500 000.", names=[]) == []
    assert warnings("Tonight we will call +1 202-456-1414, shit.", names=names) == ["Unsafe word: shit", "Personal data: phone number"]


@pytest.mark.parametrize(
    ("human", "machine", "limit"),
    [(0, 5, 20), (5, 0, 20), (0, 0, 20), (5, 5, 1), (5, 5, 0)],
)
def test_nothing_is_dealt_without_one_of_each(human: int, machine: int, limit: int) -> None:
    assert plan_deal(human=human, machine=machine, limit=limit, rng=random.Random(1)) is None


@pytest.mark.parametrize(
    ("human", "machine", "limit", "deals"),
    [
        # All that students wrote, and about as many by models.
        (5, 10, 20, {Deal(5, machine) for machine in (3, 4, 5, 6, 7)}),
        (1, 10, 20, {Deal(1, machine) for machine in (1, 2, 3)}),
        (1, 1, 20, {Deal(1, 1)}),
        # Half and half where the limit is lower.
        (25, 25, 10, {Deal(5, machine) for machine in (3, 4, 5)}),
        (25, 25, 3, {Deal(1, 1), Deal(1, 2), Deal(2, 1)}),
        # What models lack students make up for.
        (25, 4, 20, {Deal(16, 4)}),
        (40, 10, 50, {Deal(30, 10)}),
    ],
)
def test_cards_are_dealt_of_both(human: int, machine: int, limit: int, deals: set[Deal]) -> None:
    found = {plan_deal(human=human, machine=machine, limit=limit, rng=random.Random(seed)) for seed in range(200)}
    assert found == deals


@given(st.integers(1, 100), st.integers(1, 100), st.integers(2, 100), st.randoms())
def test_no_deal_goes_beyond_what_there_is(human: int, machine: int, limit: int, rng: random.Random) -> None:
    deal = plan_deal(human=human, machine=machine, limit=limit, rng=rng)
    assert deal is not None
    assert 1 <= deal.human <= min(human, MOST_HUMAN)
    assert 1 <= deal.machine <= machine
    assert deal.human + deal.machine <= limit
    assert deal.machine - deal.human <= 2
