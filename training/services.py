"""From the pool to the files that the steps read, and from their files to a model's card."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.db.models import F, QuerySet

from game.pool.models import Category, Kind, Split, Status, Tweet
from game.pool.rules import TRAIN_SHARE
from generation.rules import RUN_BYTES, WORD_BYTES, HashedSet, is_copied, made_up_words, run_hashes, word_hash, words_of
from training.rules import length_profile, render_card
from training.steps.files import read_json, read_texts, write_json, written_aside
from training.steps.recipe import Recipe, knobs

SPLIT_RULE = f"{TRAIN_SHARE:.0%} of the approved tweets, chosen by the hash of their text"
_FILES = ((Split.TRAIN, "train.jsonl"), (Split.PLAY, "heldout.jsonl"))


class NoCorpusError(Exception):
    """A corpus can't be written; the message says why."""


def export_corpus(*, category: Category, out: Path, words_from: Sequence[Category] = ()) -> dict[str, Any]:
    """Write the approved human tweets of `category` to the folder `out`; return what corpus.json says.

    `words_from` are the categories that the base model was trained on: their words count as known
    too, except those of tweets that are played elsewhere. The folder is replaced whole. Raises NoCorpusError.
    """
    if out.exists() and not (out / "corpus.json").exists():
        raise NoCorpusError(f"{out} exists and is not a corpus: name another folder.")
    with written_aside(out) as folder:
        folder.mkdir()
        authors: Counter[str] = Counter()
        counts: dict[str, int] = {}
        for split, name in _FILES:
            with (folder / name).open("w", encoding="utf-8") as lines:
                for tweet in _human_tweets(category, split):
                    authors[str(tweet["author"])] += 1
                    lines.write(json.dumps(tweet, ensure_ascii=False) + "\n")
            counts[split] = authors.total() - sum(counts.values())
            if not counts[split]:
                raise NoCorpusError(f"{category.slug} has no approved human tweets for {split}: import some first.")
        _write_rules(folder, words_from)
        corpus = {
            "category": category.slug,
            "language": category.language,
            "train": counts[Split.TRAIN],
            "heldout": counts[Split.PLAY],
            "authors": dict(sorted(authors.items())),
            "split": SPLIT_RULE,
            "sha256": hashlib.sha256((folder / "train.jsonl").read_bytes()).hexdigest(),
        }
        write_json(folder / "corpus.json", corpus)
    return corpus


def _human_tweets(category: Category, split: str) -> Iterator[dict[str, str | None]]:
    rows = (
        Tweet.objects.filter(category=category, kind=Kind.HUMAN, status=Status.APPROVED, split=split)
        # The fingerprint, unlike the id, does not depend on the order of imports.
        .order_by("author__handle", F("posted_at").asc(nulls_last=True), "fingerprint")
        .values_list("text", "author__handle", "posted_at")
    )
    for text, author, posted_at in rows.iterator():
        yield {"text": text, "author": author, "posted_at": posted_at.isoformat() if posted_at else None}


def _write_rules(folder: Path, words_from: Sequence[Category]) -> None:
    """Write what the filters need to know of the train split: its words, runs of words, and lengths."""
    texts = read_texts(folder / "train.jsonl")
    known = {word_hash(word) for words in map(words_of, texts) for word in words}
    for text in _base_tweets(words_from).values_list("text", flat=True).iterator():
        known.update(map(word_hash, words_of(text)))
    (folder / "words.bin").write_bytes(HashedSet.of(known, WORD_BYTES).to_bytes())
    runs = (run for text in texts for run in run_hashes(text))
    (folder / "runs.bin").write_bytes(HashedSet.of(runs, RUN_BYTES).to_bytes())
    write_json(folder / "profile.json", length_profile(map(len, texts)))


def _base_tweets(categories: Sequence[Category]) -> "QuerySet[Tweet]":
    played_elsewhere = Tweet.objects.filter(kind=Kind.HUMAN, split=Split.PLAY).exclude(category__in=categories)
    return Tweet.objects.filter(category__in=categories, kind=Kind.HUMAN).exclude(fingerprint__in=played_elsewhere.values("fingerprint"))


def write_card(*, recipe: Recipe) -> dict[str, Any]:
    """Complete the scores of an exported model with its words, and write card.json and README.md beside it.

    Raises OSError where a step has not run yet.
    """
    corpus_folder, out = Path(recipe.corpus), Path(recipe.out)
    model = out / "model"
    corpus, training = read_json(corpus_folder / "corpus.json"), read_json(out / "tuned" / "training.json")
    known = HashedSet.from_bytes((model / "words.bin").read_bytes(), WORD_BYTES)
    runs = HashedSet.from_bytes((model / "runs.bin").read_bytes(), RUN_BYTES)
    samples, heldout = read_texts(out / "samples.jsonl"), read_texts(corpus_folder / "heldout.jsonl")
    played = HashedSet.of((run for text in heldout for run in run_hashes(text)), RUN_BYTES)
    scores = read_json(out / "scores.json") | {
        "made_up": _share(bool(made_up_words(text, known)) for text in samples),
        "made_up_human": _share(bool(made_up_words(text, known)) for text in heldout),
        "copied": _share(is_copied(text, runs) for text in samples),
        "copied_human": _share(is_copied(text, runs) for text in heldout),
        # What only the base can have seen.
        "copied_heldout": _share(is_copied(text, played) for text in samples),
    }
    card = {
        "name": recipe.name,
        "version": recipe.version,
        "category": recipe.category,
        "base": recipe.base_name,
        "base_sha256": training["base_sha256"],
        "parameters": training["parameters"],
        "corpus_sha256": training["corpus_sha256"],
        "corpus": {key: corpus[key] for key in ("language", "train", "heldout", "authors", "split")},
        "recipe": knobs(recipe),
        "scores": scores,
        "sampling": recipe.sampling,
        "note": recipe.note,
        "trained_at": training["trained_at"],
    }
    write_json(model / "card.json", card)
    with written_aside(model / "README.md") as aside:
        aside.write_text(render_card(card), encoding="utf-8")
    return card


def _share(found: Iterable[bool]) -> float:
    each = list(found)
    return round(sum(each) / len(each), 4)
