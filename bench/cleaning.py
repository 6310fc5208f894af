"""clean.precision: what is left in kept posts that cleaning is there to keep out, counted by rules of its own."""

import html
import json
import lzma
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.posts import some_posts
from bench.report import NotMeasured, Row
from scraping.records import read_record
from scraping.rules import Cleaning, Drop, clean

SAMPLE, SEED = 500, 20_200_531
# Of addresses without a scheme: "owls.com", "ow.ly/AbCd".
_ENDINGS = {"com", "org", "net", "gov", "edu", "co", "ly", "me", "tv", "io", "gl", "be", "us", "uk", "eu", "info", "fm"}


def measure() -> list[Row]:
    """Clean all posts, draw from the kept ones, and look at those drawn."""
    with some_posts() as (files, which):
        kept = [found for path in files for found in _kept(path)]
    if len(kept) < SAMPLE:
        raise NotMeasured(f"Of {which} only {len(kept)} are kept: too few to draw {SAMPLE} from.")
    drawn = random.Random(SEED).sample(kept, SAMPLE)
    found = Counter(problem for raw, text in drawn for problem in problems(raw, text))
    told = ", ".join(f"{name} {found[name]}" for name in ("links", "retweets", "entities", "replies"))
    return [Row("clean.precision", found.total(), 0, "posts", f"{SAMPLE} of {len(kept):,} kept of {which}: {told}")]


def _kept(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    with lzma.open(path) as file:
        for line in file:
            raw = json.loads(line)
            text = clean(read_record(raw, handle="bench"), Cleaning())
            if not isinstance(text, Drop):
                yield raw, text


def problems(raw: dict[str, Any], text: str) -> list[str]:
    """Return what is wrong with the kept `text` of twint's record `raw`: links, retweets, entities, replies."""
    words = text.split()
    checks = {
        "links": any(map(_is_address, words)),
        "retweets": _is_true(raw["retweet"]) or _passes_on(words),
        "entities": ";" in text and html.unescape(text) != text,
        "replies": words[0].lstrip("\"'").startswith("@") or _number(raw["link"].split("/")[-1]) != _number(raw["conversation_id"]),
    }
    return [name for name, wrong in checks.items() if wrong]


def _is_address(word: str) -> bool:
    word = word.strip("\"'()[]{}<>.,;:!?-*").casefold()
    if "://" in word or word.startswith(("http:", "https:", "www.", "t.co", "pic.twitter")):
        return True
    address = urlsplit(f"//{word}", allow_fragments=False) if word.isascii() and "[" not in word and "]" not in word else None
    # Not an e-mail address, not a handle.
    if address is None or "@" in word or not address.hostname:
        return False
    name, dot, ending = address.hostname.rpartition(".")
    return bool(dot and name.strip(".") and ending in _ENDINGS and (len(address.path) > 1 or ending in ("com", "org", "net", "gov", "edu")))


def _passes_on(words: list[str]) -> bool:
    marks = [place for place, word in enumerate(words[:-1]) if word.strip("\"'(:").upper() in ("RT", "MT")]
    # "RT if you agree" and "RT to tell them" are the author's own words.
    begins = 0 in marks and not words[1][0].islower()
    quotes = any(word.startswith(('"@', "'@")) and word.endswith(":") for word in words)
    return begins or quotes or any(words[place + 1].startswith("@") for place in marks)


def _is_true(value: object) -> bool:
    return value in (True, "True", "true", 1)


def _number(value: object) -> int:
    return int(str(value))
