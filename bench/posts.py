"""Posts to measure with: real ones where somebody has them, made up ones of the same shape elsewhere."""

import json
import lzma
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# A folder of twint's JSON lines, as .jsonl.xz.
VARIABLE = "BENCH_TWEETS"
BESIDE = Path(__file__).resolve().parent.parent.parent / "shared" / "tweets"
# What is made up: as many as there are of the real ones.
FILES, POSTS = 4, 40_000

_WORDS = (
    *("the rain", "and", "a lamp that walked", "under our old bridge", "with green tea", "which never slept again", "because", "seven"),
    *("paper boats", "sang to a quiet harbour", "when everybody there", "said what they would have done", "about it", "but nobody"),
    *("had been asked why", "this is so"),
)
_ENDINGS = (".", "!", "?", "...", " \U0001f989", " #owls", "\u2026", ".\n\nMore soon.", " &amp; so on.", " \u201cindeed\u201d")


@contextmanager
def some_posts() -> Iterator[tuple[list[Path], str]]:
    """Give files of posts, and say in a few words which."""
    given = os.environ.get(VARIABLE)
    folder = Path(given) if given else BESIDE
    if given or folder.is_dir():
        yield sorted(folder.glob("*.jsonl.xz")), f"the posts of {VARIABLE}" if given else "real posts"
        return
    with TemporaryDirectory(prefix="birdorbot-bench-posts-") as made:
        yield [_make(Path(made) / f"made-{number}.jsonl.xz", number) for number in range(FILES)], "made-up posts"


def _make(path: Path, number: int) -> Path:
    rng = random.Random(number)
    with lzma.open(path, "wt", encoding="utf-8", preset=1) as file:
        for count in range(POSTS):
            file.write(json.dumps(_record(number * POSTS + count, rng), ensure_ascii=False) + "\n")
    return path


def _record(number: int, rng: random.Random) -> dict[str, Any]:
    own_id, author = 1_200_000_000_000_000_000 + number, f"author_{rng.randrange(25)}"
    text = " ".join(rng.choices(_WORDS, k=rng.randrange(2, 16))).capitalize() + rng.choice(_ENDINGS)
    kind = rng.random()
    if kind < 0.04:
        text = f"@somebody {text}"
    elif kind < 0.05:
        text = f"RT @somebody: {text}"
    elif kind < 0.06:
        text += " https://t.co/AbCdEfGhIj"
    opener = own_id if rng.random() < 0.8 else own_id - 1
    return {
        "id": float(own_id),
        "conversation_id": str(opener),
        "created_at": 1_300_000_000_000 + number * 1_000,
        "date": "2016-05-31",
        "time": "20:49:28",
        "timezone": "UTC",
        "user_id": rng.randrange(10**9),
        "username": author,
        "name": author.title(),
        "place": "",
        "tweet": text,
        "mentions": [],
        "urls": [],
        "photos": [],
        "replies_count": rng.randrange(99),
        "retweets_count": rng.randrange(999),
        "likes_count": rng.randrange(9_999),
        "hashtags": [],
        "cashtags": [],
        "link": f"https://twitter.com/{author}/status/{own_id}",
        "retweet": False,
        "quote_url": "",
        "video": 0,
        "near": "",
        "geo": "",
        "source": "",
        "user_rt_id": "",
        "user_rt": "",
        "retweet_id": "",
        "reply_to": [{"user_id": "7", "username": author}],
        "retweet_date": "",
    }
