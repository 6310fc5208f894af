from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from scraping.records import read_record
from scraping.rules import Post
from scraping.twitter_records import plain_records
from tests.scraping.conftest import sentence

OCTOBER_10 = datetime(2018, 10, 10, 20, 19, 24, tzinfo=UTC)
FACTS = {"likes": 5, "shares": 2, "link": "https://twitter.com/ada_owl/status/1050118621198921700", "source_id": "1050118621198921700"}
ADA = Post(text=sentence(1), handle="ada_owl", name="Ada Owl", posted_at=OCTOBER_10, facts=FACTS, account_id="42")


def posts(record: Mapping[str, Any]) -> list[Post]:
    return [read_record(plain, handle="birds") for plain in plain_records(record)]


def version_1(**fields: Any) -> dict[str, Any]:
    """Return a post as twarc 1 keeps it, with `fields` changed."""
    return {
        "created_at": "Wed Oct 10 20:19:24 +0000 2018",
        "id": 1050118621198921700,
        "id_str": "1050118621198921700",
        "full_text": sentence(1),
        "truncated": False,
        "entities": {"hashtags": [], "urls": []},
        "in_reply_to_status_id": None,
        "in_reply_to_status_id_str": None,
        "in_reply_to_user_id_str": None,
        "in_reply_to_screen_name": None,
        "user": {"id": 42, "id_str": "42", "name": "Ada Owl", "screen_name": "ada_owl"},
        "retweet_count": 2,
        "favorite_count": 5,
        "lang": "en",
    } | fields


def version_2(**fields: Any) -> dict[str, Any]:
    """Return a post as `twarc2 flatten` writes it, with `fields` changed."""
    return {
        "id": "1050118621198921700",
        "text": sentence(1),
        "author_id": "42",
        "author": {"id": "42", "username": "ada_owl", "name": "Ada Owl"},
        "created_at": "2018-10-10T20:19:24.000Z",
        "conversation_id": "1050118621198921700",
        "public_metrics": {"retweet_count": 2, "reply_count": 9, "like_count": 5, "quote_count": 1},
        "edit_history_tweet_ids": ["1050118621198921700"],
    } | fields


def test_both_versions_of_the_api_are_read_whole() -> None:
    assert posts(version_1()) == posts(version_2()) == [ADA]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"full_text": None, "text": "Cut off\u2026", "extended_tweet": {"full_text": "The whole owl."}}, "The whole owl."),
        ({"full_text": None, "text": "A short owl."}, "A short owl."),
    ],
)
def test_the_longest_text_that_version_1_has_is_the_text(fields: dict[str, Any], text: str) -> None:
    assert [post.text for post in posts(version_1(**fields))] == [text]


def test_a_long_post_of_version_2_is_read_to_its_end() -> None:
    assert posts(version_2(text="Cut off\u2026", note_tweet={"text": "The whole owl."}))[0].text == "The whole owl."


@pytest.mark.parametrize(
    "record",
    [
        version_1(in_reply_to_status_id_str="7"),
        version_1(in_reply_to_user_id_str="7"),
        version_1(in_reply_to_screen_name="bob"),
        version_2(conversation_id="7"),
        version_2(in_reply_to_user_id="7"),
        version_2(referenced_tweets=[{"type": "quoted", "id": "6"}, {"type": "replied_to", "id": "7"}]),
    ],
)
def test_answers_are_told(record: dict[str, Any]) -> None:
    assert [(post.is_reply, post.is_retweet) for post in posts(record)] == [(True, False)]


@pytest.mark.parametrize(
    "record", [version_1(retweeted_status={"id_str": "7"}), version_2(referenced_tweets=[{"type": "retweeted", "id": "7"}])]
)
def test_retweets_are_told(record: dict[str, Any]) -> None:
    assert [(post.is_reply, post.is_retweet) for post in posts(record)] == [(False, True)]


@pytest.mark.parametrize(
    ("record", "is_superseded"),
    [
        (version_2(edit_history_tweet_ids=["1050118621198921700", "1050118621198921800"]), True),
        (version_2(edit_history_tweet_ids=["1050118621198921600", "1050118621198921700"]), False),
        (version_2(edit_history_tweet_ids=["7", "8"]), False),
        (version_2(edit_history_tweet_ids=["\u00b2", None, {}, "9" * 5_000]), False),
        (version_1(edit_info={"initial": {"editTweetIds": ["1050118621198921700"]}}), False),
        (version_1(edit_info={"initial": {"editTweetIds": ["1050118621198921700", "1050118621198921800"]}}), True),
        (version_1(edit_info={"edit": {"editControlInitial": {"editTweetIds": ["99", "1050118621198921700"]}}}), False),
    ],
)
def test_only_the_last_version_of_an_edited_post_counts(record: dict[str, Any], is_superseded: bool) -> None:
    assert [post.is_superseded for post in posts(record)] == [is_superseded]


def test_a_page_of_version_2_gives_all_its_posts_and_none_of_those_they_refer_to() -> None:
    bare = {name: value for name, value in version_2().items() if name != "author"}
    page = {
        "data": [bare, bare | {"id": "8", "conversation_id": "8", "author_id": "43"}, bare | {"author_id": "44"}],
        "includes": {
            "users": [{"id": "42", "username": "ada_owl", "name": "Ada Owl"}, {"id": "43", "username": "bob", "name": "Bob"}],
            "tweets": [version_2(text="Somebody else's owl.")],
        },
        "meta": {"result_count": 3},
    }
    found = posts(page)
    assert found[0] == ADA
    assert [(post.handle, post.facts.get("link")) for post in found[1:]] == [
        ("bob", "https://twitter.com/bob/status/8"),
        ("birds", None),
    ]


def test_a_page_with_one_post_and_one_without_any_are_pages() -> None:
    assert posts({"data": version_2()}) == [ADA]
    assert posts({"data": [], "meta": {}}) == []


@pytest.mark.parametrize("page", [{"data": "owl"}, {"data": [None]}, {"data": [7], "includes": []}, {"data": None}])
def test_a_page_of_nonsense_is_refused(page: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^has no tweet, text, full_text, content$"):
        posts(page)


@pytest.mark.parametrize("nonsense", [None, "owl", 7, [], ["owl"], {}, {"a": {}}])
@pytest.mark.parametrize(
    "name", ["user", "author", "public_metrics", "referenced_tweets", "edit_info", "edit_history_tweet_ids", "note_tweet"]
)
def test_nonsense_in_what_lies_deeper_is_as_good_as_nothing(name: str, nonsense: Any) -> None:
    for record in (version_1(), version_2()):
        assert [post.text for post in posts(record | {name: nonsense})] == [sentence(1)]
