"""What a corpus and a model look like from outside: pure functions over texts and figures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Characters in one bin of a length profile.
PROFILE_BIN = 10
# Up to so many authors are named on a model card; of more it tells the number.
NAMED_AUTHORS = 12


def length_profile(lengths: Iterable[int]) -> dict[str, Any]:
    """Return how long tweets are: `probabilities[i]` is the share of PROFILE_BIN·i up to PROFILE_BIN·(i+1) - 1 characters."""
    bins: dict[int, int] = {}
    for length in lengths:
        bins[length // PROFILE_BIN] = bins.get(length // PROFILE_BIN, 0) + 1
    total = sum(bins.values())
    return {"bin": PROFILE_BIN, "probabilities": [round(bins.get(i, 0) / total, 6) for i in range(max(bins, default=-1) + 1)]}


def render_card(card: dict[str, Any]) -> str:
    """Write a model's card for people: Markdown, with the front matter that model hubs read."""
    corpus, scores, recipe = card["corpus"], card["scores"], card["recipe"]
    authors = corpus["authors"]
    writers = ", ".join(sorted(authors)) if len(authors) <= NAMED_AUTHORS else f"{len(authors)} authors"
    sampling = ", ".join(f"{key} {value:g}" for key, value in card["sampling"].items())
    return f"""---
license: mit
language: {corpus["language"]}
pipeline_tag: text-generation
library_name: ctranslate2
---
# {card["name"]}, version {card["version"]}

Writes tweets in the manner of `{card["category"]}` for Bird or Bot, a game in which people guess whether
a person or a machine wrote what they read. {card["parameters"] / 1e6:.1f} M parameters, CTranslate2 {recipe["quantization"]},
trained {card["trained_at"]}.

## Made from

- Base: {card["base"]}, SHA-256 of its weights `{card["base_sha256"]}`.
- Fine-tuned on {corpus["train"]:,} tweets by {writers}: the train split, {corpus["split"]}.
  SHA-256 of `train.jsonl`: `{card["corpus_sha256"]}`.
- Measured on the {corpus["heldout"]:,} tweets of the play split, which fine-tuning never saw.

{card["note"]}

## Measured

{_table_of_scores(scores)}

"Raw" are {scores["raw"]["samples"]:,} samples before any filter ({sampling}); "served" is what the game would have put into its pool;
"people" are held-out tweets, which neither the model nor its judge has read. An AUC of 0.5 is a detector that can't tell; each
was trained on as many tweets by people as by the model. How the figures are computed: `docs/training.md`.

## Recipe

| knob | value |
|---|---|
{chr(10).join(f"| {key} | {value} |" for key, value in recipe.items())}

## Use

For the game, where a player learns after each guess that a machine wrote the text, and for research and teaching about
machine text. It imitates real people, and what it writes is not what they said: never pass it off as theirs. It repeats the views, tone
and errors of its corpus, knows nothing that is true today, and may offend.

No tweet is in this folder. `words.bin`, `runs.bin` and `learned.bin` hold hashes (see `generation/rules.py`), `profile.json` the
lengths of the train split, `judge.bin` weights of n-grams by their hashes (see `generation/judge.py`). The tweets belong to their
authors; the weights are under the project's licence (MIT).
"""


def _table_of_scores(scores: Mapping[str, Any]) -> str:
    """Lay raw, served and people's figures side by side; what says nothing of people is left out there."""
    shares = (("made_up", "with a made-up word"), ("copied", "with eight words in a row from training"))
    rows = [("n-gram detector, AUC", _row(scores, "ngram_auc", ".2f")), ("likelihood detector, AUC", _row(scores, "likelihood_auc", ".2f"))]
    rows += [
        (name, _row(scores, key, ".1%")) for key, name in (*shares, ("copied_heldout", "with eight words in a row from held-out tweets"))
    ]
    rows += [(f"distinct-{n}", _row(scores, f"distinct_{n}", ".3f")) for n in (1, 2, 3)]
    for key in scores["human"]["profile"]:
        means = (f"{scores[kind]['profile'][key]:.2f}" for kind in _KINDS)
        aucs = (f" (AUC {scores[kind]['features'][key]:.2f})" if "features" in scores[kind] else "" for kind in _KINDS)
        rows.append((f"{key.replace('_', ' ')} a tweet", [mean + auc for mean, auc in zip(means, aucs, strict=True)]))
    table = "\n".join(f"| {' | '.join((name, *cells))} |" for name, cells in rows)
    return (
        f"{scores['bits_per_byte']:.3f} bits per byte on {scores['heldout_tweets']:,} held-out tweets.\n\n"
        f"| figure | raw | served | people |\n|---|---|---|---|\n{table}"
    )


_KINDS = ("raw", "served", "human")


def _row(scores: Mapping[str, Any], key: str, form: str) -> list[str]:
    return [format(scores[kind][key], form) if key in scores[kind] else "" for kind in _KINDS]


# Fewer tweets teach nothing, and their figures mean nothing.
MIN_TRAIN = 50
MIN_HELD_OUT = 25


def what_a_corpus_lacks(train: int, heldout: int) -> str:
    """Say why a category with so many approved human tweets can't be trained on; empty if it can."""
    if not train + heldout:
        return "has no approved human tweets: import some, and approve them."
    if train >= MIN_TRAIN and heldout >= MIN_HELD_OUT:
        return ""
    return (
        f"has {train} approved human tweets to learn from and {heldout} to measure by;"
        f" {MIN_TRAIN} and {MIN_HELD_OUT} are needed: import more, and approve them."
    )


# An AUC of a thousand samples is off by about so much, by chance.
CLEARLY = 0.01
# The same of bits per byte on one held-out set, relatively.
FEWER_BITS = 0.005


@dataclass(frozen=True)
class Comparison:
    """Whether a candidate beats the active model, and why or why not."""

    beats: bool
    reason: str


def worst_detector(scores: Mapping[str, Any]) -> tuple[str, float]:
    """Return which of three detectors tells the served tweets from people's best, and how far its AUC is from 0.5.

    n-grams, likelihood, and made-up words: one that calls every tweet with a made-up word a machine's has
    an AUC of 0.5 + (machine's share - people's share) / 2.
    """
    served, human = scores["served"], scores["human"]
    distances = {
        "n-grams": abs(served["ngram_auc"] - 0.5),
        "likelihood": abs(served["likelihood_auc"] - 0.5),
        "made-up words": abs(served["made_up"] - human["made_up"]) / 2,
    }
    return max(distances.items(), key=lambda item: item[1])


def compare(candidate: Mapping[str, Any], active: Mapping[str, Any] | None, *, same_heldout: bool) -> Comparison:
    """Compare the scores of two models of a category, in this order; a tie does not replace what players know.

    1. Nothing active: anything measured beats it. 2. A bigger copied share among what players are served loses.
    3. The smaller worst detector wins, if by CLEARLY. 4. Bits per byte decide what is left, if both were measured
    on the same held-out tweets. What was never measured as served beats nothing, and is not compared with.
    """
    try:
        detector, distance = worst_detector(candidate)
        copied = candidate["served"]["copied"]
    except (KeyError, TypeError):
        return Comparison(False, "it was not measured as it is served")
    if active is None:
        return Comparison(True, "no other model is active")
    try:
        other_detector, other_distance = worst_detector(active)
        other_copied = active["served"]["copied"]
    except (KeyError, TypeError):
        return Comparison(False, "the active model was not measured as it is served: a person has to compare them")
    if copied > other_copied:
        return Comparison(False, f"it copies more from training: {copied:.1%} of what it serves, the active model {other_copied:.1%}")
    told = f"its worst detector ({detector}) is {distance:.3f} off 0.5, the active model's ({other_detector}) {other_distance:.3f}"
    if abs(distance - other_distance) >= CLEARLY:
        return Comparison(distance < other_distance, told)
    if not same_heldout:
        return Comparison(False, f"{told}: no clear difference, and their bits per byte are of different held-out tweets")
    bits, other_bits = candidate["bits_per_byte"], active["bits_per_byte"]
    return Comparison(
        bits <= other_bits * (1 - FEWER_BITS), f"{told}: no clear difference; bits per byte {bits:.3f}, the active model's {other_bits:.3f}"
    )
