"""What of the pool may be given to others."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils.dateparse import parse_datetime

from game.pool.models import Category, Kind, Status, Tweet
from game.pool.services import NewTweet, add_tweets, get_author
from scraping.models import OptOut
from scraping.optouts import opt_out
from scraping.retention import TERMS
from tests.scraping.conftest import sentence

WHEN = parse_datetime("2026-05-01T12:30:00Z")


def add(category: Category, number: int, platform: str, handle: str = "ada", *, status: str = Status.APPROVED, **facts: Any) -> Tweet:
    author = get_author(kind=Kind.HUMAN, platform=platform, handle=handle)
    add_tweets(category=category, tweets=[NewTweet(author, sentence(number), WHEN, facts)], status=status)
    return Tweet.objects.get(category=category, text=sentence(number))


def export(category: Category, path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    out = StringIO()
    call_command("export_tweets", category.slug, "--out", str(path), stdout=out)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()], out.getvalue().splitlines()


def test_texts_leave_only_where_the_terms_let_them(category: Category, tmp_path: Path) -> None:
    tweets = [
        add(category, 1, "bluesky", source_id="at://did:plc:1/app.bsky.feed.post/1", link="https://bsky.app/profile/ada/post/1", likes=3),
        add(category, 2, "twitter", source_id="17", link="https://x.com/ada/status/17"),
        add(category, 3, "mastodon", source_id="owls.example/9"),
    ]
    lines, said = export(category, tmp_path / "new" / "birds.jsonl")
    when = "2026-05-01T12:30:00+00:00"
    splits = [tweet.split for tweet in tweets]
    assert lines == [
        {
            "platform": "bluesky",
            "source_id": "at://did:plc:1/app.bsky.feed.post/1",
            "link": "https://bsky.app/profile/ada/post/1",
            "posted_at": when,
            "split": splits[0],
            "text": sentence(1),
        },
        {"platform": "twitter", "source_id": "17", "link": "https://x.com/ada/status/17", "posted_at": when, "split": splits[1]},
        {"platform": "mastodon", "source_id": "owls.example/9", "link": "", "posted_at": when, "split": splits[2]},
    ]
    assert said == [
        "bluesky, with text: 1",
        "mastodon, id only: 1",
        "twitter, id only: 1",
        *(f"{platform}: {TERMS[platform].training}" for platform in ("bluesky", "mastodon", "twitter")),
        f"Written to {tmp_path / 'new' / 'birds.jsonl'}.",
    ]


def test_nothing_leaves_of_those_who_left_or_that_nobody_approved_or_that_a_machine_wrote(category: Category, tmp_path: Path) -> None:
    add(category, 1, "bluesky", source_id="1")
    add(category, 2, "bluesky", "bob", source_id="2")
    add(category, 3, "bluesky", "cyd", source_id="3")
    for number, status in enumerate((Status.PENDING, Status.REJECTED, Status.WITHDRAWN), 4):
        add(category, number, "bluesky", source_id=str(number), status=status)
    machine = get_author(kind=Kind.MACHINE, platform="model", handle="tiny-v1")
    add_tweets(category=category, tweets=[NewTweet(machine, sentence(9))], status=Status.APPROVED)
    add(Category.objects.create(slug="barn", name="Barn"), 10, "bluesky", source_id="10")
    opt_out(platform="bluesky", handle="bob", by=None)
    # As if it had been written down a moment ago, and nothing erased yet.
    OptOut.objects.create(platform="bluesky", handle="cyd")
    lines, said = export(category, tmp_path / "birds.jsonl")
    assert [line["source_id"] for line in lines] == ["1"]
    assert said[:2] == ["bluesky, left out, opted out: 1", "bluesky, with text: 1"]


def test_a_dash_is_standard_output_and_what_is_said_goes_elsewhere(
    category: Category, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(category, 1, "bluesky", source_id="1")
    add(category, 2, "twitter", source_id="2")
    lines, said = export(category, tmp_path / "birds.jsonl")
    monkeypatch.chdir(tmp_path)
    out, err = StringIO(), StringIO()
    call_command("export_tweets", "birds", "--out", "-", stdout=out, stderr=err)
    assert [json.loads(line) for line in out.getvalue().splitlines()] == lines
    assert err.getvalue().splitlines() == said[:-1]
    assert list(tmp_path.iterdir()) == [tmp_path / "birds.jsonl"]


def test_a_tweet_without_text_or_id_says_nothing_and_is_counted(category: Category, tmp_path: Path) -> None:
    add(category, 1, "twitter")
    lines, said = export(category, tmp_path / "birds.jsonl")
    assert (lines, said[0]) == ([], "twitter, left out, no id: 1")


def test_an_export_that_fails_leaves_the_last_one_as_it_was(category: Category, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(category, 1, "bluesky", source_id="1")
    path = tmp_path / "birds.jsonl"
    export(category, path)
    before = path.read_bytes()

    def refuse(*args: Any, **options: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scraping.exporting.json.dumps", refuse)
    with pytest.raises(CommandError) as error:
        export(category, path)
    assert str(error.value) == f"{path} can't be written: No space left on device."
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])


def test_a_category_that_is_none_is_named(category: Category, tmp_path: Path) -> None:
    with pytest.raises(CommandError) as error:
        call_command("export_tweets", "barns", "--out", str(tmp_path / "a"))
    assert str(error.value) == "'barns' is no category. There are: birds."
