from dataclasses import replace

import pytest

from scraping.rules import MAX_RAW_LENGTH, Cleaning, Drop, Post, clean

OWL = "The owl sat on the roof of the barn all night."
POST = Post(text=OWL, handle="ada")
STRIP = Cleaning(trailing_links="strip")


def outcome(text: str, cleaning: Cleaning | None = None) -> str | Drop:
    return clean(replace(POST, text=text), cleaning or Cleaning())


def test_a_plain_post_is_kept_as_it_is() -> None:
    assert outcome(OWL) == OWL


def test_a_kept_post_is_normalised() -> None:
    assert outcome(f" \u201c{OWL}\u201d \n\n&amp; more\u2026 ") == f'"{OWL}" & more...'


@pytest.mark.parametrize(
    "post", [replace(POST, is_retweet=True), replace(POST, text=f"RT @bob: {OWL}"), replace(POST, text=f"\u201c@bob: {OWL}\u201d")]
)
def test_retweets_are_dropped(post: Post) -> None:
    assert clean(post, Cleaning()) is Drop.RETWEET


@pytest.mark.parametrize(
    "post", [replace(POST, is_reply=True), replace(POST, text=f"@bob {OWL}"), replace(POST, text=f"  \u200b@bob {OWL}")]
)
def test_replies_are_dropped(post: Post) -> None:
    assert clean(post, Cleaning()) is Drop.REPLY


def test_a_post_that_opens_with_a_dot_and_a_mention_is_for_everybody() -> None:
    assert outcome(f".@bob {OWL}") == f".@bob {OWL}"


def test_an_earlier_version_of_a_post_is_dropped() -> None:
    assert clean(replace(POST, is_superseded=True), Cleaning()) is Drop.SUPERSEDED


@pytest.mark.parametrize("text", [f"2/3 {OWL}", f"{OWL} (1/2)", f"...and {OWL}"])
def test_pieces_of_a_thread_are_dropped(text: str) -> None:
    assert outcome(text) is Drop.PIECE


def test_a_number_before_a_link_is_seen_once_the_link_is_stripped() -> None:
    assert outcome(f"{OWL} 1/2 https://t.co/AbCdEfGh", STRIP) is Drop.PIECE
    assert outcome(f"{OWL} 1/2 https://t.co/AbCdEfGh") is Drop.LINK


def test_a_retweet_of_a_reply_counts_as_a_retweet() -> None:
    assert clean(replace(POST, is_retweet=True, is_reply=True), Cleaning()) is Drop.RETWEET


@pytest.mark.parametrize("text", [f"{OWL} https://t.co/AbCdEfGh", f"Look https://t.co/AbCdEfGh {OWL}", f"{OWL} pic.twitter.com/AbCdEfGh"])
def test_posts_with_a_link_are_dropped(text: str) -> None:
    assert outcome(text) is Drop.LINK


@pytest.mark.parametrize(
    "links",
    [
        " https://t.co/AbCdEfGh",
        "https://t.co/AbCdEfGh",
        " https://t.co/AbCdEfGh\u00a0https://t.co/IjKlMnOp",
        " pic.twitter.com/AbCdEfGh",
        "\nt.co/AbCdEfGh",
    ],
)
def test_trailing_links_can_be_stripped_instead(links: str) -> None:
    assert outcome(OWL + links, STRIP) == OWL


def test_a_link_inside_is_dropped_even_when_trailing_ones_are_stripped() -> None:
    assert outcome(f"Look https://t.co/AbCdEfGh {OWL}", STRIP) is Drop.LINK


def test_a_post_that_is_nothing_but_a_link_is_too_short_once_stripped() -> None:
    assert outcome("https://t.co/AbCdEfGh", STRIP) is Drop.TOO_SHORT


def test_a_post_cut_before_its_link_is_dropped() -> None:
    assert outcome("The owl sat on the roof of the ba\u2026 https://t.co/AbCdEfGh", STRIP) is Drop.TRUNCATED


def test_a_post_that_trails_off_by_itself_is_kept() -> None:
    assert outcome(f"{OWL} And then\u2026") == f"{OWL} And then..."


@pytest.mark.parametrize("ending", [" ...", "\u2026"])
def test_a_post_cut_at_140_characters_is_dropped(ending: str) -> None:
    text = ("The owl sat there and waited and waited. " * 4)[: 140 - len(ending)] + ending
    assert outcome(text) is Drop.TRUNCATED
    assert outcome("A" + text) != Drop.TRUNCATED


def test_a_part_of_a_long_sms_is_dropped() -> None:
    assert outcome(f"\x05\x00\x03\x8e\x02\x02{OWL}") is Drop.TRUNCATED


def test_markup_that_is_left_is_dropped() -> None:
    assert outcome(f"<b>Look</b> {OWL}") is Drop.MARKUP


def test_markup_hidden_in_entities_is_dropped() -> None:
    assert outcome(f"&lt;script&gt;1&lt;/script&gt; {OWL}") is Drop.MARKUP


@pytest.mark.parametrize(("length", "kept"), [(24, False), (25, True)])
def test_posts_under_25_characters_are_too_short(length: int, kept: bool) -> None:
    text = "The owl sat on the old roof"[:length]
    assert outcome(text) == (text if kept else Drop.TOO_SHORT)


def test_the_length_that_counts_is_the_cleaned_one() -> None:
    assert outcome("Owls\u200b\u200b\u200b\u200b &amp;amp; bats       only") is Drop.TOO_SHORT


@pytest.mark.parametrize(("length", "kept"), [(400, True), (401, False)])
def test_posts_over_400_characters_are_too_long(length: int, kept: bool) -> None:
    text = (OWL + " ") * 10
    assert (outcome(text[: length - 1] + ".") is Drop.TOO_LONG) is not kept


@pytest.mark.timeout(10)
@pytest.mark.parametrize("unit", ["a-", "a.", "&amp;", "e\u0301\u0323", '"@', "http"])
def test_a_megabyte_of_anything_is_too_long_at_once(unit: str) -> None:
    assert outcome(unit * (1_000_000 // len(unit))) is Drop.TOO_LONG


@pytest.mark.timeout(10)
@pytest.mark.parametrize("unit", ["a-", "a.", "&amp;", "&amp;amp;", "amp;", '"@', "http", "a@"])
def test_no_rule_takes_long_over_the_longest_text_that_is_looked_at(unit: str) -> None:
    assert outcome("&" + (unit * MAX_RAW_LENGTH)[: MAX_RAW_LENGTH - 1]) != OWL


@pytest.mark.parametrize("text", ["Mañana por la noche vamos a buscar lechuzas en el bosque con los niños."])
def test_posts_surely_in_another_language_are_dropped(text: str) -> None:
    assert outcome(text) is Drop.LANGUAGE
    assert outcome(text, Cleaning(language="es")) == text
