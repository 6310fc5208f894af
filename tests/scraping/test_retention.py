"""The terms of the platforms, and what the documentation says of them."""

import re
from pathlib import Path

from scraping.catalogue import SOURCES
from scraping.cohorts import DAYS_KEPT
from scraping.retention import CHECKERS, TERMS
from scraping.rules import PLATFORMS

PAGE = (Path(__file__).resolve().parents[2] / "docs/data.md").read_text(encoding="utf-8")
NAMES = {"twitter": "X", "bluesky": "Bluesky", "mastodon": "Mastodon"}


def test_every_platform_has_terms_and_a_source_that_can_be_asked() -> None:
    assert TERMS.keys() == CHECKERS.keys() == set(PLATFORMS.values()) == NAMES.keys()
    for platform, checker in CHECKERS.items():
        assert (PLATFORMS[checker], SOURCES[checker].deletions) == (platform, True)


def test_the_page_tells_how_long_raw_posts_and_followers_are_kept() -> None:
    (row,) = (line for line in PAGE.splitlines() if line.startswith("| raw posts"))
    days = {"X": re.search(r"(\d+) days \(X\)", row), **{name: re.search(rf"(\d+) \({name}\)", row) for name in ("Mastodon", "Bluesky")}}
    assert {name: int(found[1]) for name, found in days.items() if found} == {NAMES[key]: terms.raw_days for key, terms in TERMS.items()}
    assert f"| {DAYS_KEPT} days, or until the same seeds are read again |" in PAGE


def test_the_page_tells_whose_texts_may_leave() -> None:
    assert [NAMES[platform] for platform, terms in TERMS.items() if terms.texts_may_leave] == ["Bluesky"]
    assert "`text` for Bluesky\nalone" in PAGE


def test_the_page_tells_what_training_the_terms_allow() -> None:
    assert re.findall(r"^\| (X|Bluesky|Mastodon) \| (.*) \|$", PAGE, re.MULTILINE) == [
        (NAMES[platform], terms.training) for platform, terms in TERMS.items()
    ]
