from pathlib import Path
from typing import Any

import pytest

from bench import posts
from bench.cleaning import _kept, problems
from bench.posts import some_posts
from tests.scraping.conftest import sentence, twint


def raw(**fields: Any) -> dict[str, Any]:
    return twint(**fields)


def test_a_good_post_has_no_problem() -> None:
    assert problems(raw(), sentence(1)) == []


@pytest.mark.parametrize(
    "text", ["See owls.com", "See OWLS.org/now.", "(http://owls)", "www.owls.example", "ow.ly/AbCd", "pic.twitter.com/AbC"]
)
def test_links_are_found(text: str) -> None:
    assert problems(raw(), text) == ["links"]


@pytest.mark.parametrize("text", ["An owl.It slept", "and/or", "write to owl@owls.com", "3.2 owls", "U.S. owls", "@owls.com"])
def test_what_is_no_link_is_not_taken_for_one(text: str) -> None:
    assert "links" not in problems(raw(), text)


@pytest.mark.parametrize("text", ["RT Bob: An owl!", "MT @bob: An owl!", "Yes! RT @bob An owl!", 'Yes! "@bob: An owl!"'])
def test_retweets_are_found(text: str) -> None:
    assert problems(raw(), text) == ["retweets"]
    assert problems(raw(retweet=True), sentence(1)) == ["retweets"]


def test_entities_and_replies_are_found() -> None:
    assert problems(raw(), "fish &amp; owls") == ["entities"]
    assert problems(raw(), '"@bob is an owl"') == ["replies"]
    assert problems(raw(conversation_id="7"), sentence(1)) == ["replies"]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(posts, "POSTS", 500)
    monkeypatch.setattr(posts, "BESIDE", tmp_path / "missing")
    monkeypatch.delenv(posts.VARIABLE, raising=False)


def test_made_up_posts_are_mostly_kept_and_nothing_is_wrong_with_those(few: None) -> None:
    with some_posts() as (files, which):
        assert (len(files), which) == (4, "made-up posts")
        kept = [found for path in files for found in _kept(path)]
    assert 1_300 < len(kept) < 1_600
    assert [found for found in kept if problems(*found)] == []
    assert not any(path.exists() for path in files)


def test_a_folder_that_is_given_is_taken(few: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "b.jsonl.xz").touch()
    (tmp_path / "a.jsonl.xz").touch()
    monkeypatch.setenv(posts.VARIABLE, str(tmp_path))
    with some_posts() as (files, which):
        assert ([path.name for path in files], which) == (["a.jsonl.xz", "b.jsonl.xz"], "the posts of BENCH_TWEETS")
