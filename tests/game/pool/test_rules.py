import hashlib
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.pool import rules
from game.pool.rules import (
    TRAIN_SHARE,
    fingerprint,
    has_link,
    has_markup,
    is_for_training,
    is_manual_retweet,
    is_piece,
    is_surely_other_language,
    normalise,
)

WORDS = st.text(st.sampled_from("abcdefgàéñüABCXYZ0189"), min_size=1, max_size=8)
# Pieces that normalising changes, so that Hypothesis finds their combinations.
MESSY = st.lists(
    st.one_of(
        st.text(max_size=3),
        st.sampled_from(
            [
                "&amp;",
                "amp;",
                "&",
                "#39;",
                "&lt;",
                "&#8217;",
                "&#x1F426;",
                "\u2026",
                "\u200b",
                "\u0301",
                "e",
                "\ud83d",
                "\x00",
                "\u2028",
                " ",
                "\n",
            ]
        ),
    ),
    max_size=12,
).map("".join)


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("fish &amp; chips", "fish & chips"),
        ("fish &amp;amp;amp; chips", "fish & chips"),
        ("2 &lt; 3 &gt; 1", "2 < 3 > 1"),
        ("it&#39;s &#x27;so&#x27;", "it's 'so'"),
        ("cheap&not cheerful, local&regional", "cheap&not cheerful, local&regional"),
        ("&nosuchthing; stays", "&nosuchthing; stays"),
        ("\u201cdouble\u201d \u2018single\u2019 \u00abguillemets\u00bb", '"double" \'single\' "guillemets"'),
        ("one\u2014two\u2013three", "one-two-three"),
        ("wait\u2026", "wait..."),
        ("really\uff1f\uff01", "really?!"),
        ("  two\n\nlines\tand\u00a0a\u3000half  ", "two lines and a half"),
        ("line\u2028separator", "line separator"),
        ("zero\u200bwidth \ufeffmark so\u00adft", "zerowidth mark soft"),
        ("nul\x00 bell\x07 delete\x7f", "nul bell delete"),
        ("half a bird \ud83d here", "half a bird here"),
        ("cafe\u0301", "caf\u00e9"),
        ("a family \U0001f469\u200d\U0001f467 stays", "a family \U0001f469\u200d\U0001f467 stays"),
        ("", ""),
    ],
)
def test_normalise_leaves_plain_typography(raw: str, plain: str) -> None:
    assert normalise(raw) == plain


def test_normalise_decodes_entities_however_often_they_were_encoded() -> None:
    assert normalise("&" + "amp;" * 50 + "c") == "&c"


@given(MESSY)
def test_normalise_is_a_fixed_point_that_a_database_takes(raw: str) -> None:
    once = normalise(raw)
    assert normalise(once) == once
    assert "\x00" not in once.encode().decode()
    assert unicodedata.is_normalized("NFC", once)


def every_step(text: str) -> str:
    """Take every step of normalising, again and again, whether or not there is anything to do."""
    plain = {ord(fancy): mark for fancy, mark in rules._PLAIN.items()}
    while True:
        plainer = unicodedata.normalize("NFC", rules._ENTITY.sub(rules._decode_entity, text)).translate(plain)
        plainer = re.sub(r"\s+", " ", rules._INVISIBLE.sub("", plainer)).strip()
        if plainer == text:
            return text
        text = plainer


@given(st.one_of(MESSY, st.text()))
def test_normalise_skips_no_step_that_would_change_something(raw: str) -> None:
    assert normalise(raw) == every_step(raw)


@given(st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(max_codepoint=127))))
def test_fingerprint_takes_ascii_for_what_it_is_elsewhere(text: str) -> None:
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = re.sub(r"[\W_]+", "", folded) or folded
    assert fingerprint(text) == hashlib.blake2b(words.encode(), digest_size=16).digest()


LINKS = ["http", "https", "HTTP\u017f", ":", "/", "://", ".", "www.", "WWW.x", "pic.twitter.com", "t.co/x", "owls", ".com", ".ORG"]
REST = ["@", '"', "'", "RT", "rt", "MT", "mt", "RT:", "&", ";", "<", "<b>", "</", ">", "n\u0131", "\u212a", "1", "-", "x"]
PIECES = st.lists(st.sampled_from([*LINKS, *REST, " "])).map("".join)


@given(PIECES)
def test_a_first_look_misses_nothing_that_the_expressions_find(text: str) -> None:
    assert has_link(text) == bool(rules._LINK.search(text))
    assert is_manual_retweet(text) == bool(rules._MANUAL_RETWEET.search(text))
    assert has_markup(text) == bool(rules._MARKUP.search(text))


@given(st.lists(WORDS, min_size=1, max_size=8), st.sampled_from([" ", "  ", ", ", "... ", "!\n", "_", ' "']))
def test_fingerprint_ignores_case_punctuation_and_space(words: list[str], between: str) -> None:
    assert fingerprint(between.join(words).swapcase() + between) == fingerprint(" ".join(words))


@given(WORDS, WORDS)
def test_fingerprint_tells_other_words_apart(one: str, other: str) -> None:
    same = one.casefold() == other.casefold()
    assert (fingerprint(one) == fingerprint(other)) is same


def test_fingerprint_is_sixteen_bytes_that_never_change() -> None:
    # Stored in every pool: another value would double all tweets at the next import and reshuffle the splits.
    assert fingerprint("The owl, asleep.").hex() == "aa2731dd71c0936fb94236ae06d6a692"
    assert fingerprint("?!") != fingerprint("!?")


def test_fingerprint_sees_compatibility_characters_as_what_they_stand_for() -> None:
    assert fingerprint("\U0001d413\U0001d421\U0001d41e owl \ufb01nds 2\u00b2") == fingerprint("the OWL finds 22")


def test_the_train_split_gets_its_share() -> None:
    picked = sum(is_for_training(fingerprint(f"owl number {number}")) for number in range(20_000))
    # Five standard deviations of a binomial.
    assert abs(picked / 20_000 - TRAIN_SHARE) < 5 * (TRAIN_SHARE * (1 - TRAIN_SHARE) / 20_000) ** 0.5


@pytest.mark.parametrize(
    "text",
    [
        "read this http://owls.example/a",
        "read this https://owls.example",
        "read this http:/ owls",
        "read this ttp://owls.example/a",
        "read this ://owls.example/a",
        "read this file:///owls/a.pdf",
        "read this www.owls",
        "picture: pic.twitter.com/AbCdEf",
        "short: t.co/AbCdEf",
        "short: ow.ly/AbCdEf",
        "short: nyti.ms/AbCdEf",
        "order at owls.com today",
        "news.bbc-owls.co.uk/story",
    ],
)
def test_a_link_in_any_form_is_a_link(text: str) -> None:
    assert has_link(text)


@pytest.mark.parametrize(
    "text",
    [
        "Back home.The owl sleeps",
        "either/or, and 24/7",
        "he said :/ and left",
        "ratio 3:1 // comment",
        "U.S.A. vs. U.K.",
        "write to owl@owls.com",
        "the team @owls.com",
        "v1.2.3 is out",
        "he flew on turntable.fm yesterday",
    ],
)
def test_what_only_looks_like_a_link_is_none(text: str) -> None:
    assert not has_link(text)


@pytest.mark.parametrize(
    "text",
    [
        "RT @owl: the moon is up",
        "rt @owl the moon is up",
        "RT: @owl the moon is up",
        "RT owl_eyes The moon is up",
        "RT: the moon is up",
        "So true! RT @owl: the moon is up",
        "So true! RT@ owl the moon is up",
        'So true! RT "@owl the moon is up"',
        'So true! RT: "The moon is up"',
        "Indeed MT @owl the moon is up",
        "MT: OwlWatch: the moon is up",
        '"@owl: the moon is up" Thanks!',
        '"@owl. The moon is up"',
        "'@owl the moon is up'",
        '" .@owl the moon is up',
        'Thanks! "@owl: the moon is up"',
        "Ha! '.@ owl : the moon is up'",
        "Yes, it is. RT@ @owl the moon is up",
        "YES IT IS! RT @@owl the moon is up",
        "Not tonight, alas. RT Owl Eyes The moon is up",
        'So true!" RT OwlEyes The moon is up',
    ],
)
def test_words_of_somebody_else_are_a_manual_retweet(text: str) -> None:
    assert is_manual_retweet(text)


@pytest.mark.parametrize(
    "text",
    [
        "RT if you saw the moon",
        "RT this to show the moon",
        "Please RT: the moon is up",
        "RT-PCR tests for owls",
        "Mt. Hood under the moon",
        "MT Senate race: the owls lead",
        ".@owl has seen the moon",
        '"The moon is up." -@owl',
        "The moon is up (via @owl)",
        "ART @owl museum",
        "Vote for the moon! RT TO EVERYBODY",
        "The moon is up. RT if you saw it",
        'He said: "The moon is up." @owl agreed.',
        'Search for "@owl" and look',
    ],
)
def test_ones_own_words_are_no_manual_retweet(text: str) -> None:
    assert not is_manual_retweet(text)


@pytest.mark.parametrize(
    "text",
    [
        "1/ The owl woke up at nine.",
        "12/ The owl woke up at nine.",
        "1/n The owl woke up at nine.",
        "3/The owl woke up at nine.",
        "4/and then it slept again.",
        "2/5 The owl woke up at nine.",
        "2/2: The owl woke up at nine.",
        "2/3:The owl woke up at nine.",
        "2:3 The owl woke up at nine.",
        "(1/2) The owl woke up at nine.",
        "[1/11] The owl woke up at nine.",
        "The owl woke up at nine. 1/",
        "The owl woke up at nine.1/",
        "The owl woke up at nine... 3/11",
        "The owl woke up at nine 2/3",
        "The owl woke up at nine #owls 1/10",
        "The owl woke up at nine 1/n",
        "The owl woke up at nine. (2/2)",
        "The owl woke up at nine.....(1/2)",
        "The owl looked about (1/2) #owls #night",
        "The owl woke up at nine (1/x).",
        "The owl woke up at nine (5/)",
        "2) The owl woke up at nine.",
        "3. The owl woke up at nine.",
        "4 - The owl woke up at nine.",
        "#5. The owl woke up at nine.",
        "1. The owl woke up at nine.",
        "...and then the owl slept again.",
        "....The owl slept again.",
    ],
)
def test_what_is_numbered_or_goes_on_is_a_piece(text: str) -> None:
    assert is_piece(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The owl woke up at nine.",
        "The owl woke up and looked about...",
        "2/3 of the owls woke up at nine.",
        "1/2 the owls are asleep.",
        "1/3rd of the owls woke up.",
        "9/11 was a Tuesday.",
        "We remember 9/11",
        "Open 24/7",
        "Half and half, 50/50",
        "Worth staying up for. 10/10",
        "I give this owl a 9/10",
        "Owl watching from now until 4/30",
        "The owl show is on 1/3.",
        "The owl show is on Sat (4/6)",
        "Eleven owls were counted on 3/3/53",
        "1) The owl slept. 2) The moon rose.",
        "1 - owls, 2 - mice",
        "4 of the 9 owls are asleep.",
        "3.4 million owls can't be wrong.",
        "3-2 for the owls!",
        "5 - 2 is three owls.",
        "41. The number of owls in this wood.",
        "and/or owls, w/o mice",
        "#1 rule: never wake an owl.",
        "7:45 and no owl yet",
    ],
)
def test_what_has_a_fraction_a_date_or_a_list_of_its_own_is_no_piece(text: str) -> None:
    assert not is_piece(text)


@pytest.mark.parametrize("text", ["<b>bold</b> owl", "an owl<br/>", '<a href="x">owl</a>', "<script src=x> owl", "owl &nosuch; moon"])
def test_html_is_markup(text: str) -> None:
    assert has_markup(text)


@pytest.mark.parametrize("text", ["owls <3 mice", "<sad owl>", "<i'm tired>", "AT&T; no", "1 < 2 > 0", "<bird> and <pear>"])
def test_angle_brackets_alone_are_no_markup(text: str) -> None:
    assert not has_markup(text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Mañana por la noche vamos a buscar lechuzas en el bosque con los niños.", "en"),
        ("Die Eule schläft in der alten Scheune, bis der Mond aufgeht.", "en"),
        ("फूलों के बीच एक उल्लू चाँद निकलने तक सोता रहता है", "en"),
        ("The owl sleeps in the old barn until the full moon rises.", "es"),
        # Without a name in it, and with many.
        ("wir haben die eule heute in der scheune schlafen sehen", "en"),
        ("Ayer Pedro y Carmen vieron en Madrid una lechuza que dormía cerca de la casa de Ana.", "en"),
        ("ESTA NOCHE VAMOS A BUSCAR LECHUZAS EN EL BOSQUE CON LOS NIÑOS", "en"),
    ],
)
def test_another_language_is_seen(text: str, language: str) -> None:
    assert is_surely_other_language(text, language)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The owl sleeps in the old barn until the full moon rises.", "en"),
        ("Wow. Props to Notre Dame.", "en"),
        ("wheels down Istanbul, then on to Narita.", "en"),
        ("owls -> Dubai -> Kuala Lumpur.", "en"),
        ("owl cafe, Tokyo Station", "en"),
        ("birds of Tokyo, Narita, Osaka", "en"),
        ("singin' an' hootin' all the nicht, wee owlie", "en"),
        ("La lechuza duerme en el viejo granero hasta que sale la luna.", "es"),
        # The detector calls it by the code that ISO 639 has replaced.
        ("הינשוף ישן באסם הישן עד שהירח עולה מעל הגבעות", "he"),
        ("הינשוף ישן באסם הישן עד שהירח עולה מעל הגבעות", "iw"),
        ("@lechuza @granero #LunaLlena ok then", "en"),
        ("🦉🦉🦉", "en"),
        ("La lechuza duerme en el viejo granero.", "no such language"),
    ],
)
def test_in_doubt_a_text_is_in_the_language_asked_for(text: str, language: str) -> None:
    assert not is_surely_other_language(text, language)
