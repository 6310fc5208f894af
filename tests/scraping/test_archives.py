import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from scraping import archives
from scraping.formats import UnreadableFile, read_posts
from scraping.rules import Post
from tests.scraping.conftest import sentence

ACCOUNT = 'window.YTD.account.part0 = [ {"account": {"username": "Ada_Owl", "accountId": "42", "accountDisplayName": "Ada Owl"}} ]'


def entry(number: int = 1, **fields: Any) -> dict[str, Any]:
    """Return post `number` as the archive has it, with `fields` changed."""
    own_id = str(1_600_000_000_000_000_000 + number)
    tweet = {
        "edit_info": {"initial": {"editTweetIds": [own_id], "editsRemaining": "5", "isEditEligible": True}},
        "retweeted": False,
        "source": '<a href="https://mobile.twitter.com" rel="nofollow">Twitter Web App</a>',
        "entities": {"hashtags": [], "user_mentions": [], "urls": []},
        "favorite_count": "5",
        "retweet_count": "2",
        "id_str": own_id,
        "id": own_id,
        "truncated": False,
        "created_at": "Wed Oct 10 20:19:24 +0000 2018",
        "full_text": sentence(number),
        "lang": "en",
    }
    return {"tweet": tweet | fields}


def script(entries: Sequence[Any], part: int = 0) -> str:
    return f"window.YTD.tweets.part{part} = {json.dumps(entries, indent=2)}\n"


def pack(members: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def read(data: bytes, handle: str = "birds") -> list[tuple[int, Post | str]]:
    return list(read_posts(Path("a.zip"), io.BytesIO(data), handle=handle))


def texts(data: bytes) -> list[str]:
    return [post.text if isinstance(post, Post) else post for _, post in read(data)]


def refusal(data: bytes) -> tuple[list[str], str]:
    """Return the texts that were read, and what ended the reading."""
    found: list[str] = []
    with pytest.raises(UnreadableFile) as error:  # noqa: PT012
        for _, post in read_posts(Path("a.zip"), io.BytesIO(data), handle="birds"):
            found.append(post.text if isinstance(post, Post) else post)
    return found, str(error.value)


def test_a_post_is_read_whole_and_by_the_account_of_the_archive() -> None:
    rows = read(pack({"data/account.js": ACCOUNT, "data/tweets.js": script([entry()])}))
    assert [number for number, _ in rows] == [1]
    post = rows[0][1]
    assert isinstance(post, Post)
    assert (post.text, post.handle, post.name, post.account_id, post.is_reply, post.is_retweet, post.is_superseded) == (
        *(sentence(1), "Ada_Owl", "Ada Owl", "42"),
        *(False, False, False),
    )
    assert post.posted_at
    assert post.posted_at.isoformat() == "2018-10-10T20:19:24+00:00"
    assert post.facts == {
        "likes": 5,
        "shares": 2,
        "link": "https://twitter.com/Ada_Owl/status/1600000000000000001",
        "source_id": "1600000000000000001",
    }


def test_parts_are_read_in_their_order_and_numbered_through() -> None:
    parts = {f"data/tweets-part{part}.js": script([entry(part)], part) for part in (10, 2, 1)}
    rows = read(pack(parts | {"data/tweets.js": script([entry(20), entry(21)])}))
    assert [(number, post.text) for number, post in rows if isinstance(post, Post)] == list(
        enumerate([sentence(number) for number in (20, 21, 1, 2, 10)], 1)
    )


@pytest.mark.parametrize("name", ["data/tweet.js", "tweet.js", "twitter-2020-01-01/data/tweets.js"])
def test_older_archives_and_those_packed_again_are_read(name: str) -> None:
    assert texts(pack({name: script([entry()])})) == [sentence(1)]
    assert texts(pack({name: script([entry()["tweet"]])})) == [sentence(1)]


def test_other_members_are_let_be() -> None:
    others = ["data/deleted-tweets.js", "data/tweet-headers.js", "data/tweets_media/1-a.jpg", "data/note-tweet.js", "data/like.js"]
    assert texts(pack(dict.fromkeys(others, script([entry(9)])) | {"data/tweets.js": script([entry()])})) == [sentence(1)]


def test_without_an_account_the_author_is_the_one_given() -> None:
    for account in ({}, {"data/account.js": "window.YTD.account.part0 = [ ]"}, {"data/account.js": 'x = [ {"account": {}}, 7 ]'}):
        rows = read(pack({**account, "data/tweets.js": script([entry()])}), handle="bob")
        assert [post.handle for _, post in rows if isinstance(post, Post)] == ["bob"]


def test_what_kind_of_post_it_is_is_told() -> None:
    entries = [
        entry(1, in_reply_to_status_id_str="7"),
        entry(2, in_reply_to_user_id_str="7"),
        entry(3, edit_info={"initial": {"editTweetIds": ["1600000000000000003", "1600000000000000004"]}}),
        entry(4, edit_info={"edit": {"initialTweetId": "3", "editControlInitial": {"editTweetIds": ["3", "1600000000000000004"]}}}),
    ]
    rows = read(pack({"data/tweets.js": script(entries)}))
    assert [(post.is_reply, post.is_superseded) for _, post in rows if isinstance(post, Post)] == [
        (True, False),
        (True, False),
        (False, True),
        (False, False),
    ]


def test_a_broken_post_is_told_by_number_and_ends_nothing() -> None:
    entries = [entry(1), 7, {"tweet": {}}, entry(4, favorite_count="many"), {"tweet": []}, entry(6)]
    assert texts(pack({"data/tweets.js": script(entries)})) == [
        sentence(1),
        "is not a post",
        "has no tweet, text, full_text, content",
        "has likes that are not a number: 'many'",
        "is not a post",
        sentence(6),
    ]


@pytest.mark.parametrize("chunk", [40, 41, 42, 64, 10_000])
def test_where_the_chunks_end_changes_nothing(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_CHUNK", chunk)
    entries = [entry(1, full_text='An \u00f6wl \U0001f989 ] \\" [ {'), entry(2)]
    data = b"\xef\xbb\xbf" + f"window.YTD.tweets.part0 = {json.dumps(entries, ensure_ascii=False)}".encode()
    assert texts(pack({"data/tweets.js": data})) == ['An \u00f6wl \U0001f989 ] \\" [ {', sentence(2)]


def test_an_empty_archive_holds_no_posts() -> None:
    assert texts(pack({"data/tweets.js": "window.YTD.tweets.part0 = [ ]"})) == []


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip at all", pack({"data/tweets.js": script([entry()])})[:200]])
def test_what_is_no_zip_file_is_told(data: bytes) -> None:
    assert refusal(data) == ([], "a.zip: is no zip file, or a damaged one (File is not a zip file).")


def test_a_zip_file_of_something_else_is_told() -> None:
    assert refusal(pack({"word/document.xml": "<w/>"})) == ([], "a.zip: has no data/tweets.js: it is not the archive that X sends.")


@pytest.mark.parametrize(
    ("content", "read_before", "problem"),
    [
        ("", 0, "it holds no list"),
        ("<html></html>", 0, "it holds no list"),
        (" " * 2_000 + "[]", 0, "it holds no list"),
        (script([entry(1), entry(2)])[:-200], 1, "it breaks off, or is not JSON"),
        (script([entry(1)]).rstrip()[:-1], 1, "it breaks off, or is not JSON"),
        (script([entry(1)]).rstrip()[:-1] + ", {nonsense} ]", 1, "it breaks off, or is not JSON"),
        (f"x = [ {json.dumps(entry(1))}, {'[' * 200_000}", 1, "it breaks off, or is not JSON"),
        (f'x = [ {json.dumps(entry(1))}, {{"a": {"9" * 5_000}}} ]', 1, "it breaks off, or is not JSON"),
        (f'x = [ {json.dumps(entry(1))}, "{"o" * 3_000_000}" ]', 1, "it breaks off, or is not JSON"),
        (
            script([entry(1)]).encode().replace(b"roof", b"\xff"),
            0,
            "'utf-8' codec can't decode byte 0xff in position [0-9]+: invalid start byte",
        ),
    ],
)
def test_a_member_that_is_damaged_gives_what_it_has(content: str | bytes, read_before: int, problem: str) -> None:
    found, said = refusal(pack({"data/tweets.js": content}))
    assert len(found) == read_before

    assert re.fullmatch(
        rf"a\.zip: can't be read past post {read_before} of data/tweets\.js \({problem}\); what came before it is kept\.", said
    )


def test_damage_to_what_is_compressed_is_told() -> None:
    data = bytearray(pack({"data/tweets.js": script([entry(number) for number in range(200)])}, zipfile.ZIP_STORED))
    place = data.index(sentence(100).encode())
    data[place : place + 5] = b"Later"
    found, said = refusal(bytes(data))
    assert len(found) >= 100
    assert said.endswith("of data/tweets.js (Bad CRC-32 for file 'data/tweets.js'); what came before it is kept.")


def test_an_archive_with_a_password_is_told() -> None:
    data = bytearray(pack({"data/tweets.js": script([entry()])}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    assert refusal(bytes(data)) == ([], "a.zip: is locked with a password: unpack it, and pack it again without.")


@pytest.mark.timeout(10)
def test_a_file_made_to_swell_is_refused_unread() -> None:
    bomb = pack({"data/tweets.js": "x = [" + " " * (archives._HARMLESS + 1) + "]"})
    assert len(bomb) < 100_000
    found, said = refusal(bomb)
    assert (found, said.split(":")[0]) == ([], "a.zip")
    assert "is no archive of X: data/tweets.js would swell" in said
