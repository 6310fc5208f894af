import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraping.records import MAX_NAME_LENGTH, read_record
from scraping.rules import Post
from tests.scraping.conftest import sentence, twint

MAY_31 = datetime(2020, 5, 31, 20, 49, 28, tzinfo=UTC)


def read(**fields: Any) -> Post:
    return read_record(twint(**fields), handle="birds")


def test_a_record_of_twint_is_read_whole() -> None:
    assert read() == Post(
        text=sentence(1),
        handle="ada_owl",
        name="Ada Owl",
        posted_at=MAY_31,
        is_retweet=False,
        is_reply=False,
        facts={
            "likes": 5,
            "shares": 2,
            "link": "https://twitter.com/ada_owl/status/1200000000000000001",
            "source_id": "1200000000000000001",
        },
    )


def test_a_row_with_a_text_only_is_enough() -> None:
    assert read_record({"text": "Owls."}, handle="birds") == Post(text="Owls.", handle="birds")


@pytest.mark.parametrize("name", ["tweet", "text", "full_text", "content"])
def test_the_text_has_many_names(name: str) -> None:
    assert read_record({name: "Owls."}, handle="birds").text == "Owls."


@pytest.mark.parametrize("name", ["username", "handle", "screen_name", "author"])
def test_the_handle_has_many_names_and_loses_its_at(name: str) -> None:
    assert read_record({"text": "Owls.", name: " @Ada_Owl "}, handle="birds").handle == "Ada_Owl"


@pytest.mark.parametrize("handle", [None, "", "@", "\x00", "\u200b"])
def test_a_missing_handle_is_the_one_given(handle: str | None) -> None:
    assert read(username=handle).handle == "birds"


def test_a_handle_longer_than_its_column_is_refused() -> None:
    assert read(username="a" * 120).handle == "a" * 120
    with pytest.raises(ValueError, match=r"^has a username longer than 120 characters$"):
        read(username="a" * 121)


@pytest.mark.parametrize(("name", "kept"), [("Ada \x00&amp; Bo\ud83d", "Ada & Bo"), ("o" * 500, "o" * 120), (None, ""), (float("nan"), "")])
def test_a_name_is_cleaned_and_cut_to_its_column(name: Any, kept: str) -> None:
    assert read(name=name).name == kept


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"tweet": 5}, "has a text that is not text"),
        ({"tweet": ["a"]}, "has a text that is not text"),
        ({"username": {"id": 1}}, "has a username that is not text"),
        ({"name": 5}, "has a name that is not text"),
        ({"likes_count": "abc"}, "has likes that are not a number: 'abc'"),
        ({"likes_count": -1}, "has likes that are not a number: '-1'"),
        ({"likes_count": 10**30}, "has likes that are not a number: '1000000000000000000000000000000'"),
        ({"likes_count": float("inf")}, "has likes that are not a number: 'inf'"),
        ({"retweets_count": []}, "has shares that are not a number: '\\[\\]'"),
        ({"created_at": 10**18}, "has a time that can't be read: '1000000000000000000'"),
        ({"created_at": 10**400}, "has a time that can't be read: '1000"),
        ({"created_at": "1000000000-01-01"}, "has a time that can't be read: '1000000000-01-01'"),
        ({"created_at": 1_590_958_168}, "has a time that can't be read: '1590958168'"),
        ({"created_at": "last week"}, "has a time that can't be read: 'last week'"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "has a time that can't be read"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}"):
        read(**fields)


def test_a_record_without_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^has no tweet, text, full_text, content$"):
        read_record({"username": "ada"}, handle="birds")


def test_an_empty_text_is_a_text() -> None:
    assert read_record({"tweet": None}, handle="birds").text == ""


@pytest.mark.parametrize(("value", "likes"), [(7, 7), ("7", 7), (7.0, 7), ("651.0", 651), (0, 0), ("0", 0)])
def test_counts_come_as_numbers_or_text(value: Any, likes: int) -> None:
    assert read(likes_count=value).facts["likes"] == likes


@pytest.mark.parametrize("value", [None, "", float("nan")])
def test_a_count_that_is_missing_is_no_fact(value: Any) -> None:
    assert "likes" not in read(likes_count=value).facts


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//owls.example",
        "https://owls.example/\x00 x",
        "https://owls.example/" + "a" * 300,
        5,
        None,
    ],
)
def test_a_link_that_is_no_web_address_is_no_fact(link: Any) -> None:
    assert "link" not in read(link=link).facts


def test_facts_hold_nothing_that_a_database_refuses() -> None:
    facts = read(link="https://owls.example/\x00a\ud83d", id="\x00", conversation_id=None).facts
    assert facts["link"] == "https://owls.example/a"
    assert "source_id" not in facts


@pytest.mark.parametrize(
    ("fields", "moment"),
    [
        ({"created_at": 1_590_958_168_000.0}, MAY_31),
        ({"created_at": "1590958168000"}, MAY_31),
        ({"created_at": "2020-05-31 20:49:28"}, MAY_31),
        ({"created_at": "2020-05-31 20:49:28 UTC"}, MAY_31),
        ({"created_at": "2020-05-31T22:49:28+02:00"}, MAY_31),
        ({"created_at": "Sun May 31 20:49:28 +0000 2020"}, MAY_31),
        ({"created_at": "Sun May 31 22:49:28 +0200 2020"}, MAY_31),
        ({"created_at": "20200531"}, datetime(2020, 5, 31, tzinfo=UTC)),
        ({"created_at": "2020-05-31 22:49:28 CEST", "date": "2020-05-31", "time": "22:49:28", "timezone": "+0200"}, MAY_31),
        ({"created_at": None, "date": "2020-05-31", "time": "20:49:28", "timezone": "PDT"}, MAY_31),
        ({"created_at": None, "date": "2020-05-31"}, datetime(2020, 5, 31, tzinfo=UTC)),
        ({"created_at": None, "time": "2020-05-31 20:49:28"}, MAY_31),
        ({"created_at": float("nan")}, None),
        ({"created_at": ""}, None),
    ],
)
def test_times_come_in_many_forms(fields: dict[str, Any], moment: datetime | None) -> None:
    assert read(**fields).posted_at == moment


@pytest.mark.parametrize(
    ("flag", "is_retweet"), [(True, True), ("True", True), (1, True), ("yes", True), (False, False), ("False", False), (None, False)]
)
def test_the_flag_of_a_retweet_is_read(flag: Any, is_retweet: bool) -> None:
    assert read(retweet=flag).is_retweet is is_retweet


@pytest.mark.parametrize(
    ("fields", "is_reply"),
    [
        ({"conversation_id": "1199999999999999999"}, True),
        ({"conversation_id": 1199999999999999999}, True),
        ({"conversation_id": 1200000000000000001}, False),
        # The id was rounded by a browser on its way here; the one in the link never is.
        ({"id": 1200000000000000000}, False),
        ({"link": "https://twitter.com/ada_owl/status/1200000000000000001/photo/1"}, False),
        ({"link": "https://x.com/ada_owl/status/1200000000000000001?s=20"}, False),
        ({"link": None, "id": 1200000000000000001}, False),
        ({"link": None, "id": 1200000000000000002}, True),
        ({"link": None, "id": None}, False),
        ({"conversation_id": ""}, False),
        ({"conversation_id": 0}, False),
        ({"conversation_id": "1.2e+18"}, False),
    ],
)
def test_a_post_must_open_its_conversation(fields: dict[str, Any], is_reply: bool) -> None:
    assert read(**fields).is_reply is is_reply


@pytest.mark.parametrize(
    ("fields", "is_reply"),
    [
        ({"is_reply": True}, True),
        ({"is reply": "yes"}, True),
        ({"is_reply": "False"}, False),
        ({"in_reply_to_status_id": "7"}, True),
        ({"in_reply_to_user_id": 7.0}, True),
        ({"in_reply_to_screen_name": "bob"}, True),
        ({"in_reply_to_status_id": None, "in_reply_to_user_id": "", "in_reply_to_screen_name": float("nan")}, False),
        # Where the ids say that it opens a conversation, whom it mentions does not matter.
        ({"reply_to": [{"username": "ada_owl"}, {"username": "bob"}]}, False),
        ({"conversation_id": None, "reply_to": [{"username": "Ada_Owl"}, {"username": "bob"}]}, True),
        ({"conversation_id": None, "reply_to": [{"screen_name": "bob"}]}, True),
        ({"conversation_id": None, "reply_to": [{"username": "Ada_Owl"}]}, False),
        ({"conversation_id": None, "reply_to": []}, False),
        ({"conversation_id": None, "reply_to": ["bob", None, {}, {"username": None}]}, False),
        ({"conversation_id": None, "reply_to": "bob"}, False),
    ],
)
def test_whom_a_post_answers_is_told_in_many_ways(fields: dict[str, Any], is_reply: bool) -> None:
    assert read(**fields).is_reply is is_reply


@pytest.mark.parametrize(
    ("fields", "account_id"),
    [({"user_id": 42}, "42"), ({"author_id": "42"}, "42"), ({}, ""), ({"user_id": "x"}, ""), ({"user_id": None}, "")],
)
def test_the_id_of_the_account_is_kept(fields: dict[str, Any], account_id: str) -> None:
    assert read(**fields).account_id == account_id


FIELDS = [*twint(), "date", "time", "timezone", "is retweet", "text", "author", "reply_to", "user_id", "in_reply_to_user_id"]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**11, max_value=10**20),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["\x00", "\ud83d", "https://owls.example/\ud83d\x00", "2020-05-31", "20:49:28", "+9959", "-1", "1e400", "\u00b2"]),
    st.lists(st.none(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.none(), max_size=2),
)


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_any_record_is_a_post_that_a_database_takes_or_is_refused(record: dict[str, Any]) -> None:
    try:
        post = read_record(record, handle="birds")
    except ValueError as error:
        post, problem = None, str(error)
    if post is None:
        assert re.match(r"has (a|no|likes|shares) ", problem)
        return
    stored = post.handle + post.name + json.dumps(post.facts, allow_nan=False, ensure_ascii=False)
    assert stored.encode()
    assert "\x00" not in stored.replace("\\u0000", "\x00")
    assert 0 < len(post.handle) <= MAX_NAME_LENGTH
    assert len(post.name) <= MAX_NAME_LENGTH
    assert post.posted_at is None or 1990 <= post.posted_at.astimezone(UTC).year < 2100
