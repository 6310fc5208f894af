"""From the pool to the files that the steps read."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db.models import F, QuerySet

from game.pool.models import Category, Kind, Split, Status, Tweet
from game.pool.rules import TRAIN_SHARE, fingerprint
from generation.rules import RUN_BYTES, WORD_BYTES, HashedSet, learned, run_hashes, word_hash, words_of
from training.rules import length_profile
from training.steps.files import read_texts, sha256, write_json, written_aside

SPLIT_RULE = f"{TRAIN_SHARE:.0%} of the approved tweets, chosen by the hash of their text"
_FILES = ((Split.TRAIN, "train.jsonl"), (Split.PLAY, "heldout.jsonl"))


class NoCorpusError(Exception):
    """A corpus can't be written; the message says why."""


def export_corpus(*, category: Category, out: Path, words_from: Sequence[Category] = (), base_words: Path | None = None) -> dict[str, Any]:
    """Write the approved human tweets of `category` to the folder `out`; return what corpus.json says.

    `words_from` are the categories that the base model was trained on: their words count as known
    too, except those of tweets that are played elsewhere. So do those of `base_words`, a words.bin.
    The folder is replaced whole. Raises NoCorpusError, and OSError or ValueError if `base_words` is none.
    """
    with _replaced(out) as folder:
        authors: Counter[str] = Counter()
        counts: dict[str, int] = {}
        for split, name in _FILES:
            with (folder / name).open("w", encoding="utf-8") as lines:
                for tweet in _human_tweets(category, split):
                    authors[tweet[1]] += 1
                    lines.write(_line(*tweet))
            counts[split] = authors.total() - sum(counts.values())
            if not counts[split]:
                raise NoCorpusError(f"{category.slug} has no approved human tweets for {split}: import some first.")
        _write_rules(folder, words_from, base_words)
        corpus = {
            "category": category.slug,
            "language": category.language,
            "train": counts[Split.TRAIN],
            "heldout": counts[Split.PLAY],
            "authors": dict(sorted(authors.items())),
            "split": SPLIT_RULE,
            "sha256": sha256(folder / "train.jsonl"),
        }
        write_json(folder / "corpus.json", corpus)
    return corpus


def export_base_corpus(*, categories: Sequence[Category], less: Sequence[Category], out: Path) -> dict[str, Any]:
    """Write the human tweets of `categories`, of both splits, to the folder `out`; return what corpus.json says.

    Left out is what the play split of `less` holds, and what shares eight words in a row with it.
    A text that stands in several categories is written once. Raises NoCorpusError.
    """
    played = Tweet.objects.filter(category__in=less, kind=Kind.HUMAN, split=Split.PLAY)
    marks: set[bytes] = set()
    runs: set[int] = set()
    for mark, text in played.values_list("fingerprint", "text").iterator():
        marks.add(bytes(mark))
        runs.update(run_hashes(text))
    tweets = (
        Tweet.objects.filter(category__in=categories, kind=Kind.HUMAN, status__in=[Status.PENDING, Status.APPROVED])
        .exclude(fingerprint__in=_withdrawn())
        .order_by("fingerprint", "category__slug")
        .distinct("fingerprint")
        .values_list("fingerprint", "text", "author__handle", "posted_at")
    )
    words: set[int] = set()
    learned_marks: list[bytes] = []
    written = left_out = 0
    with _replaced(out) as folder:
        with (folder / "train.jsonl").open("w", encoding="utf-8") as lines:
            for mark, text, author, posted_at in tweets.iterator():
                if bytes(mark) in marks or not runs.isdisjoint(run_hashes(text)):
                    left_out += 1
                    continue
                lines.write(_line(text, author, posted_at))
                words.update(map(word_hash, words_of(text)))
                learned_marks.append(bytes(mark))
                written += 1
        if not written:
            raise NoCorpusError(f"{', '.join(category.slug for category in categories)}: no human tweets to train on; import some first.")
        (folder / "words.bin").write_bytes(HashedSet.of(words, WORD_BYTES).to_bytes())
        (folder / "learned.bin").write_bytes(learned(learned_marks).to_bytes())
        corpus = {
            "category": "base",
            "language": categories[0].language,
            "train": written,
            "left_out": left_out,
            "split": f"both splits of {', '.join(category.slug for category in categories)}, less what is played in "
            f"{', '.join(category.slug for category in less) or 'no other category'}",
            "sha256": sha256(folder / "train.jsonl"),
        }
        write_json(folder / "corpus.json", corpus)
    return corpus


def _human_tweets(category: Category, split: str) -> Iterator[tuple[str, str, datetime | None]]:
    return (
        approved_tweets(category, split)
        # The fingerprint, unlike the id, does not depend on the order of imports.
        .order_by("author__handle", F("posted_at").asc(nulls_last=True), "fingerprint")
        .values_list("text", "author__handle", "posted_at")
        .iterator()
    )


def _line(text: str, author: str, posted_at: datetime | None) -> str:
    """Write a tweet as a line of train.jsonl or heldout.jsonl."""
    tweet = {"text": text, "author": author, "posted_at": posted_at.isoformat() if posted_at else None}
    return json.dumps(tweet, ensure_ascii=False) + "\n"


@contextmanager
def _replaced(out: Path) -> Iterator[Path]:
    """Give a folder to write a corpus to, which takes the place of `out` when all went well; NoCorpusError if `out` is something else."""
    if out.exists() and not (out / "corpus.json").exists():
        raise NoCorpusError(f"{out} exists and is not a corpus: name another folder.")
    with written_aside(out) as folder:
        folder.mkdir()
        yield folder


def approved_tweets(category: Category, split: str) -> "QuerySet[Tweet]":
    """Return the human tweets of a category that a corpus may hold; none that is withdrawn in any category."""
    tweets = Tweet.objects.filter(category=category, kind=Kind.HUMAN, status=Status.APPROVED, split=split)
    return tweets.exclude(fingerprint__in=_withdrawn())


def _withdrawn() -> "QuerySet[Tweet, Any]":
    """Return the fingerprints of what was withdrawn, whatever category that was in."""
    return Tweet.objects.filter(kind=Kind.HUMAN, status=Status.WITHDRAWN).values("fingerprint")


def _write_rules(folder: Path, words_from: Sequence[Category], base_words: Path | None) -> None:
    """Write what the filters need to know of the train split: its words, runs of words, and lengths."""
    texts = read_texts(folder / "train.jsonl")
    known = {word_hash(word) for words in map(words_of, texts) for word in words}
    for text in _base_tweets(words_from).values_list("text", flat=True).iterator():
        known.update(map(word_hash, words_of(text)))
    if base_words:
        known.update(HashedSet.from_bytes(base_words.read_bytes(), WORD_BYTES).hashes)
    (folder / "words.bin").write_bytes(HashedSet.of(known, WORD_BYTES).to_bytes())
    runs = (run for text in texts for run in run_hashes(text))
    (folder / "runs.bin").write_bytes(HashedSet.of(runs, RUN_BYTES).to_bytes())
    (folder / "learned.bin").write_bytes(learned(map(fingerprint, texts)).to_bytes())
    write_json(folder / "profile.json", length_profile(map(len, texts)))


def _base_tweets(categories: Sequence[Category]) -> "QuerySet[Tweet]":
    played_elsewhere = Tweet.objects.filter(kind=Kind.HUMAN, split=Split.PLAY).exclude(category__in=categories)
    return Tweet.objects.filter(category__in=categories, kind=Kind.HUMAN).exclude(fingerprint__in=played_elsewhere.values("fingerprint"))
