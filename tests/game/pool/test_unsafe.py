import tomllib
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.pool import unsafe
from game.pool.unsafe import unsafe_words

WORDS = tomllib.loads(Path(unsafe.__file__).with_name("unsafe_words.toml").read_text(encoding="utf-8"))
FULL_WIDTH, SCRIPT = "\uff46\uff55\uff43\uff4b", "\U0001d4ef\U0001d4fe\U0001d4ec\U0001d4f4"
FORMS = {"part", "start", "word", "lowercase", "phrase", "harmless"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("What the fuck is this", ["fuck"]),
        ("absofuckinglutely, #fuckthat", ["fuck"]),
        ("This owl is shit.", ["shit"]),
        ("SHITSHOW!", ["shit"]),
        ("Bullshit, he said", ["bullshit"]),
        ("You assholes", ["asshole"]),
        ("what a slut's life", ["slut"]),
        ("He is a dick", ["a dick"]),
        ("just kill yourself already", ["kill yourself"]),
    ],
)
def test_unsafe_words_are_found(text: str, found: list[str]) -> None:
    assert unsafe_words(text) == found


@pytest.mark.parametrize(
    "text", ["f*ck", "fuuuuck", "fuuck", "f.u.c.k", "f-uck", "F U C K", "f\u00fcck", "fuckkkkk", "f_u_c_k", FULL_WIDTH, SCRIPT]
)
def test_a_disguised_word_is_the_word(text: str) -> None:
    assert "fuck" in unsafe_words(f"Oh {text} it")


@pytest.mark.parametrize("text", ["sh1t", "$hit", "5h!t", "sh*t", "shiiiit", "s h i t", "sh.it"])
def test_digits_and_marks_stand_for_letters(text: str) -> None:
    assert "shit" in unsafe_words(f"Oh {text}, owls")


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe is a town, and Matsushita a maker of radios.",
        "Dick Cheney and Dick Durbin had Cockburn over for cocktails.",
        "Senator Coons of Delaware, Elijah Cummings of Maryland, Joe Bastardi of the weather.",
        "The Shiite and the Sunni parties; a Shi'ite cleric.",
        "Sean Bonner, Dick Van Dyke, Anthony Weiner and Rick Santorum walked in.",
        "Spices, spick and span. A chink in the armor. A Maine Coon. Pakistan.",
        "Rape, sexual assault, incest and abortion were in the bill; hell, damn it.",
        "Gay marriage, lesbian rights, a transgender teacher, breast cancer, penis cancer.",
        "Sniggering at the niggardly budget; a flame retardant coat.",
        "Assume the class assessed the bass. Cumulative documents. Analysis of a grape.",
        "A pussy willow. Essex and Sussex. Titanic. Hancock and peacocks.",
        "Was hit, this hit, push it. Just us: as hit records go...",
        "F. U. Clark and C. U. Nt, initials.",
        "",
    ],
)
def test_words_that_only_look_unsafe_are_let_be(text: str) -> None:
    assert unsafe_words(text) == []


def test_every_word_of_the_list_is_found_and_none_is_there_twice() -> None:
    assert {form for kind in WORDS.values() for form in kind} <= FORMS
    words = [word for kind in WORDS.values() for form, words in kind.items() if form != "harmless" for word in words]
    assert len(words) == len(set(words))
    assert [word for word in words if word not in unsafe_words(f"so {word}, then")] == []


def test_every_harmless_word_would_be_found_if_it_were_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    harmless = list(chain.from_iterable(kind.get("harmless", []) for kind in WORDS.values()))
    assert [word for word in harmless if unsafe_words(f"so {word} then")] == []
    monkeypatch.setattr(unsafe, "_HARMLESS", [])
    assert [word for word in harmless if not unsafe_words(f"so {word} then")] == []


@given(st.data(), st.sampled_from(["fuck", "bitch", "cunt", "nigger", "faggot"]))
def test_stretching_and_shouting_hide_nothing(data: st.DataObject, word: str) -> None:
    shown = "".join(letter * data.draw(st.sampled_from([1, 3, 4])) for letter in word)
    assert word in unsafe_words(f"Oh {data.draw(st.sampled_from([str.upper, str.title, str.lower]))(shown)}!")


@given(st.text())
def test_what_is_around_a_word_does_not_hide_it(text: str) -> None:
    assert "bullshit" in unsafe_words(f"{text} bullshit {text}")
