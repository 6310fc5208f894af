import bz2
import gzip
import io
import json
import lzma
import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraping.formats import MAX_LINE_BYTES, MAX_RECORD_LINES, UnreadableFile, check_format, read_posts
from scraping.rules import Post
from tests.scraping.conftest import sentence, twint

Write = Callable[..., Path]
UNQUOTED = "has a quote that does not end, or a quote or line break where none may be"


def rows(path: Path) -> list[tuple[int, str]]:
    """Return number and text, or number and what is wrong, of each row."""
    with path.open("rb") as raw:
        return [(number, post.text if isinstance(post, Post) else post) for number, post in read_posts(path, raw, handle="birds")]


def test_json_lines_give_a_post_each(write: Write) -> None:
    assert rows(write("a.jsonl", twint(1), "", twint(2))) == [(1, sentence(1)), (3, sentence(2))]


def test_plain_text_gives_a_post_a_line(write: Write) -> None:
    path = write("a.txt", "\ufeffOne owl.\r", "", "  Two owls. ", "Three\u2028owls.")
    assert rows(path) == [(1, "One owl."), (3, "Two owls."), (4, "Three\u2028owls.")]


def test_plain_text_is_by_the_handle_given(write: Write) -> None:
    path = write("a.txt", "One owl.")
    with path.open("rb") as raw:
        assert list(read_posts(path, raw, handle="ada")) == [(1, Post(text="One owl.", handle="ada"))]


def test_csv_is_read_by_the_names_of_its_columns(write: Write) -> None:
    path = write("a.csv", "\ufeffLikes, TEXT ,Username\r", '7,"An owl, asleep",@ada\r', "8,A finch,bob\r")
    with path.open("rb") as raw:
        found = [(number, post) for number, post in read_posts(path, raw, handle="birds")]
    assert found == [
        (2, Post(text="An owl, asleep", handle="ada", facts={"likes": 7})),
        (3, Post(text="A finch", handle="bob", facts={"likes": 8})),
    ]


def test_csv_fields_hold_quotes_and_lines_of_their_own(write: Write) -> None:
    path = write("a.csv", "text,likes", '"She said ""owl""', "", 'and left",1', 'a "good" perch,2')
    assert rows(path) == [(2, 'She said "owl"\n\nand left'), (5, 'a "good" perch')]


def test_tsv_is_csv_with_tabs(write: Write) -> None:
    assert rows(write("a.tsv", "text\tlikes", "An owl, asleep\t7")) == [(2, "An owl, asleep")]


def test_orange_tab_has_three_header_rows(write: Write) -> None:
    path = write(
        "a.tab",
        "Is retweet\tTime\tFavorite count\tAuthor\tContent",
        "discrete\ttime\tcontinuous\tdiscrete\tstring",
        "\t\t\tclass\tmeta",
        'False\t2016-09-28 00:22:34\t651.0\tAdaOwl\t"An ""owl"""',
        "True\t2016-09-28 00:22:34\t1.0\tAdaOwl\tA finch",
    )
    with path.open("rb") as raw:
        found = [post for _, post in read_posts(path, raw, handle="birds") if isinstance(post, Post)]
    assert [(post.text, post.handle, post.is_retweet, post.facts) for post in found] == [
        ('An "owl"', "AdaOwl", False, {"likes": 651}),
        ("A finch", "AdaOwl", True, {"likes": 1}),
    ]


@pytest.mark.parametrize(
    ("suffix", "compress"), [("xz", lzma.compress), ("gz", gzip.compress), ("bz2", bz2.compress), ("XZ", lzma.compress)]
)
@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "tab", "txt"])
def test_every_format_may_be_compressed(write: Write, suffix: str, compress: Callable[[bytes], bytes], kind: str) -> None:
    header = {"csv": b"text\n", "tab": b"text\nstring\nmeta\n"}.get(kind, b"")
    line = json.dumps(twint(1)).encode() if kind.startswith("json") else sentence(1).encode()
    path = write(f"my.tweets.{kind}.{suffix}")
    path.write_bytes(compress(header + line))
    assert [text for _, text in rows(path)] == [sentence(1)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "is not JSON: Expecting property name enclosed in double quotes at column 2"),
        ("owl", "is not JSON: Expecting value at column 1"),
        ('{"tweet": "a"} {"tweet": "b"}', "is not JSON: Extra data at column 16"),
        ("[]", "is not a JSON object: one post a line, in braces"),
        ('"owl"', "is not a JSON object: one post a line, in braces"),
        ("null", "is not a JSON object: one post a line, in braces"),
        ("{}", "has no tweet, text, full_text, content"),
        ('{"tweet": {"text": "owl"}}', "has a text that is not text"),
        ("[" * 100_000, "is JSON nested too deep"),
        ('{"tweet": "owl", "x": ' + "[" * 100_000 + "]" * 100_000 + "}", "is JSON nested too deep"),
        ('{"tweet": "owl", "id": ' + "9" * 5_000 + "}", "is JSON with a number too long to read"),
        ('{"tweet": "owl", "likes_count": 1e999}', "has likes that are not a number: 'inf'"),
        (b'{"tweet": "owl\x00"}', "has a NUL byte"),
        (b'{"tweet": "\xff\xfe"}', "is not UTF-8 at byte 12"),
        (b'{"tweet": "\xed\xa0\xbd"}', "is not UTF-8 at byte 12"),
        (b'{"tweet": "' + b"o" * 9_000_000 + b'"}', "is longer than 8,388,608 bytes"),
    ],
)
def test_a_broken_line_of_json_is_told_by_number_and_ends_nothing(write: Write, line: str | bytes, problem: str) -> None:
    assert rows(write("a.jsonl", twint(1), line, twint(3))) == [(1, sentence(1)), (2, problem), (3, sentence(3))]


@pytest.mark.parametrize(
    "line",
    ['{"tweet": "half \\ud83d owl"}', '{"tweet": "nul \\u0000 owl"}', '{"tweet": "owl", "id": NaN, "likes_count": NaN, "created_at": NaN}'],
)
def test_odd_values_in_good_json_do_not_break_the_line(write: Write, line: str) -> None:
    with write("a.jsonl", line).open("rb") as raw:
        assert [type(post) for _, post in read_posts(Path("a.jsonl"), raw, handle="birds")] == [Post]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("just one field", "has 1 fields, the first line names 2"),
        ("one,two,three", "has 3 fields, the first line names 2"),
        ('"never closed,7', UNQUOTED),
        ('"stray "quote",7', UNQUOTED),
        ('a 5" perch,7', UNQUOTED),
        ("bare\rreturn,7", UNQUOTED),
        ("owl,many", "has likes that are not a number: 'many'"),
        ("owl," + "9" * 400, "has likes that are not a number: '9999999999999999999999999999999999999999'"),
        (b"owl\x00,7", "has a NUL byte"),
        (b"owl\xff,7", "is not UTF-8 at byte 4"),
        ("o" * 200_000 + ",7", UNQUOTED),
        (b"o" * 5_000_000, "is longer than 1,048,576 bytes"),
    ],
)
def test_a_broken_line_of_csv_is_told_by_number_and_ends_nothing(write: Write, line: str | bytes, problem: str) -> None:
    good = '"An owl, asleep",7'
    path = write("a.csv", "text,likes", good, line, good, '"Two', 'lines",7', good)
    assert rows(path) == [(2, "An owl, asleep"), (3, problem), (4, "An owl, asleep"), (5, "Two\nlines"), (7, "An owl, asleep")]


def test_a_quote_that_never_ends_costs_its_own_line_only(write: Write) -> None:
    many = [f"{sentence(number)},{number}" for number in range(3 * MAX_RECORD_LINES)]
    found = rows(write("a.csv", "text,likes", '"never closed,1', *many, '"never closed,2'))
    assert [(number, text) for number, text in found if text == UNQUOTED] == [(2, UNQUOTED), (3 * MAX_RECORD_LINES + 3, UNQUOTED)]
    assert [text for _, text in found if text != UNQUOTED] == [sentence(number) for number in range(3 * MAX_RECORD_LINES)]


def test_a_broken_line_inside_a_quoted_field_does_not_hide_the_lines_after_it(write: Write) -> None:
    path = write("a.csv", "text,likes", '"Two', b"broken \xff line", 'lines",7', "An owl,7")
    assert rows(path) == [(2, UNQUOTED), (3, "is not UTF-8 at byte 8"), (4, UNQUOTED), (5, "An owl")]


@pytest.mark.parametrize("name", ["a.csv", "a.tab", "a.jsonl", "a.txt"])
def test_an_empty_file_has_no_rows(write: Write, name: str) -> None:
    assert rows(write(name)) == []


def test_a_csv_of_a_header_only_has_no_rows(write: Write) -> None:
    assert rows(write("a.csv", "text,likes")) == []


def test_a_csv_without_a_column_of_texts_is_refused(write: Write) -> None:
    path = write("a.csv", "title,likes", "Owls,7")
    with pytest.raises(UnreadableFile, match=r"a\.csv: line 1 names no column tweet, text, full_text, content; the first line must name"):
        rows(path)


@pytest.mark.parametrize("name", ["tweets", "tweets.xml", "tweets.xz", "tweets.zip.gz", ".jsonl.xz"])
def test_an_unknown_format_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(
        UnreadableFile, match=r"unknown format; name it \.zip, \.csv, \.json, \.jsonl, \.tab, \.tsv, \.txt, with \.gz, \.xz or \.bz2"
    ):
        check_format(Path(name))


@pytest.mark.parametrize(("suffix", "compress"), [("xz", partial(lzma.compress, preset=0)), ("gz", gzip.compress), ("bz2", bz2.compress)])
def test_a_compressed_file_that_is_cut_off_gives_what_it_has_and_says_where_it_ends(
    write: Write, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    # Random letters: a compressor can't squeeze them into one block that is lost as a whole.
    noise = random.Random(1)
    lines = "".join("".join(noise.choices("abcdefghij", k=200)) + "\n" for _ in range(8_000)).encode()
    whole = compress(lines)
    path = write(f"a.txt.{suffix}")
    path.write_bytes(whole[: len(whole) * 3 // 4])
    seen: list[int] = []
    with path.open("rb") as raw, pytest.raises(UnreadableFile, match=r"; what came before it is kept\.$") as refused:
        seen.extend(number for number, _ in read_posts(path, raw, handle="birds"))
    assert len(seen) > 1_000
    assert f"can't be read past line {seen[-1]} (" in str(refused.value)


@pytest.mark.parametrize("suffix", ["xz", "gz", "bz2"])
def test_what_is_not_compressed_in_spite_of_its_name_is_refused(write: Write, suffix: str) -> None:
    with pytest.raises(UnreadableFile, match="can't be read past line 0"):
        rows(write(f"a.txt.{suffix}", "An owl."))


def test_a_corrupt_gzip_is_refused(write: Write) -> None:
    whole = bytearray(gzip.compress(("An owl.\n" * 1_000).encode()))
    whole[20:30] = b"\xff" * 10
    path = write("a.txt.gz")
    path.write_bytes(whole)
    with pytest.raises(UnreadableFile, match="can't be read past line"):
        rows(path)


def test_a_line_as_long_as_may_be_is_read(write: Write) -> None:
    assert rows(write("a.txt", "o" * (MAX_LINE_BYTES - 1), "owl")) == [(1, "o" * (MAX_LINE_BYTES - 1)), (2, "owl")]
    assert rows(write("a.txt", "o" * MAX_LINE_BYTES, "owl")) == [(1, "is longer than 1,048,576 bytes"), (2, "owl")]


MARKS = [b'"', b",", b"\t", b"\n", b"\r\n", b"{", b"}", b"[", b"NaN", b"\x00", b"\xff", b"\xef\xbb\xbf"]
LINES = [b'{"tweet": "owl"}\n', b"text,likes\n", b"text\tlikes\n", b"text\n"]
PIECES = st.one_of(st.sampled_from(MARKS + LINES), st.binary(max_size=5))


@given(st.sampled_from(["a.jsonl", "a.csv", "a.tsv", "a.tab", "a.txt"]), st.lists(PIECES))
def test_any_bytes_give_rows_in_order_or_one_refusal(name: str, pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    numbers: list[int] = []
    with suppress(UnreadableFile):
        numbers.extend(number for number, _ in read_posts(Path(name), io.BytesIO(data), handle="birds"))
    assert numbers == sorted(set(numbers))
    assert numbers[-1:] <= [data.count(b"\n") + 1]
