import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from game.pool.personal import hide_personal_data, personal_data
from game.pool.rules import normalise


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Write to ada.owl+nest@barn.example.org about the owls.", "e-mail address"),
        ("Complaints:Ada@Barn.Example, not to me.", "e-mail address"),
        ("Call me at 617-635-4500 after nine.", "phone number"),
        ("Call me at (617) 635-4500 after nine.", "phone number"),
        ("Call 617.635.4500.", "phone number"),
        ("Owls:1-800-273-8255!", "phone number"),
        ("Volunteers please 3132978800 tonight", "phone number"),
        ("Ring +44 20 7946 0018 and ask for the owl", "phone number"),
        ("Ring 020 7946 0018 and ask for the owl", "phone number"),
        ("Ruf an: +49 (0)30 901820", "phone number"),
        ("My number is 078-05-1120, don't tell", "social security number"),
        ("Charge it to 4111 1111 1111 1111 please", "card number"),
        ("Charge it to 4111111111111111 please", "card number"),
        ("Come to 1250 Old Barn Road at nine", "street address"),
        ("We meet at 24 W. Owl St., second floor", "street address"),
        ("See you tonight @ 903 Boylston St from 6-8pm", "street address"),
        ("Tonight at 110 East 60th Street, be there", "street address"),
    ],
)
def test_personal_data_is_seen(text: str, what: str) -> None:
    assert normalise(text) == text
    assert personal_data(text) == what


@pytest.mark.parametrize(
    "text",
    [
        "Text JOIN to 88022 to see the owls.",
        "From 2009-2017 there were 1,234,567 owls; in 1990 - 1995 there were none.",
        "Owls won 35-16, then 24-17. 21-7 at half time!",
        "It cost $1,200,000 in 2014 and $1,350,000.00 in 2015.",
        "H.R. 3590 passed 219-212 on 3/21/2010 at 11:45 pm.",
        "506 U.S. 224 (1993) and 410 U.S. 113 (1973) say otherwise.",
        "e = 2.718281828459045, more or less.",
        "6-5-4-3-2-1 Happy New Year!",
        "#2016 #GOP2012 @owl2016 @ 8pm",
        "Listen @barn, 9pm. @owl.of.the.barn will be there.",
        "Love this @ St.Mark and again @ Mt.Olive",
        "7-2 Supreme Court ruling, 4 Supreme Court seats, 17 District Court judges",
        "He lives at 1600 Pennsylvania Avenue. She lives at 10 Downing Street.",
        "2012 Democratic National Convention. Way cool!",
        "On Wall Street 40 owls sat in a row on 5th Avenue.",
        "Order 4111 1111 1111 1112 was lost.",
        "Section 1332-05-1 of 42 U.S.C. says so.",
        "000-12-3456 is nobody's number.",
    ],
)
def test_numbers_of_other_kinds_are_let_be(text: str) -> None:
    assert personal_data(text) == ""


def test_what_is_kept_for_people_to_read_names_nobody() -> None:
    assert (
        hide_personal_data("Mail ada@barn.example or ring 617-635-4500, or come to 12 Barn Road.")
        == "Mail [e-mail address] or ring [phone number], or come to [street address]."
    )
    assert hide_personal_data("Nothing here, 2016.") == "Nothing here, 2016."


words = st.text(alphabet=st.characters(codec="utf-8"), max_size=80)


@given(words, words, st.sampled_from(["ada@barn.example", "617-635-4500", "12 Barn Road"]))
@example("", "", "12 Barn Road")
def test_what_was_hidden_is_gone(before: str, after: str, piece: str) -> None:
    hidden = hide_personal_data(normalise(f"{before} {piece} {after}"))
    assert not re.search(rf"(?<!\S){re.escape(piece)}(?!\S)", hidden)


@given(words)
def test_words_without_figures_or_addresses_hold_nothing(text: str) -> None:
    assert personal_data(re.sub(r"[\d@]", "", normalise(text))) == ""
