"""Measure an exported model on tweets it has not seen: `python -m training.steps.evaluate RECIPE.toml`.

Reads samples.jsonl (raw) and served.jsonl (what the game would have put into the pool), writes scores.json. Detectors are
of three kinds, since what fools a machine need not fool a person and the other way round (Ippolito 2020, "Automatic Detection
of Generated Text is Easiest when Humans are Fooled"): n-grams (Fagni 2021, "TweepFake", has bags of words near 80 % accuracy
on generated tweets), likelihood, and made-up words, which the card adds.
"""

import math
import random
import re
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from tokenizers import Tokenizer

from training.steps.files import read_json, read_texts, run_step, write_json
from training.steps.recipe import Recipe

BATCH = 128

# What is seen at a glance, and should tell nothing alone. Not the judge's own counts: it is measured here, too.
_EMOJI = re.compile("[\u203c\u2049\u2139\u2194-\u21aa\u231a-\u23ff\u25aa-\u25fe\u2600-\u27bf\u2934-\u2b55\U0001f000-\U0001faff]")
PROFILE: dict[str, Callable[[str], int]] = {
    "length": len,
    "hashtags": lambda text: len(re.findall(r"#\w", text)),
    "mentions": lambda text: len(re.findall(r"@\w", text)),
    "exclamation_marks": lambda text: text.count("!"),
    "emoji": lambda text: len(_EMOJI.findall(text)),
}


class Model:
    """An exported model, as a reader of texts."""

    def __init__(self, folder: Path, device: str) -> None:
        config = read_json(folder / "config.json")
        self.start, self.end = config["bos_token"], config["eos_token"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.encode_special_tokens = True
        self.generator = ctranslate2.Generator(str(folder), device=device)

    def log_probabilities(self, texts: list[str], block: int) -> list[list[float]]:
        """Give the natural log-probability of each token of each text, its end included."""
        tokens = [[self.start, *self.tokenizer.encode(text, add_special_tokens=False).tokens, self.end][:block] for text in texts]
        return [result.log_probs for result in self.generator.score_batch(tokens, max_batch_size=BATCH)]


def bits_per_byte(log_probabilities: list[list[float]], texts: list[str]) -> float:
    """Bits to write the texts down, ends included, over their bytes in UTF-8; lower is better."""
    nats = -sum(math.fsum(each) for each in log_probabilities)
    return nats / math.log(2) / sum(len(text.encode()) for text in texts)


def ngram_auc(human: list[str], machine: list[str], seed: int) -> float:
    """How well a reader of letter and word n-grams tells the two apart: 0.5 not at all, 1 always.

    The mean of five folds; each fold's reader never saw the texts that it judges.
    """
    features = make_union(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, lowercase=False, min_df=2),
        TfidfVectorizer(analyzer="word", ngram_range=(1, 2), sublinear_tf=True, min_df=2),
    )
    detector = make_pipeline(features, LogisticRegression(C=10.0, max_iter=1000))
    folds = StratifiedKFold(n_splits=5, shuffle=True, random_state=seed)
    truth = np.repeat([0, 1], [len(human), len(machine)])
    return float(np.mean(cross_val_score(detector, human + machine, truth, cv=folds, scoring="roc_auc")))


def likelihood_auc(human: list[list[float]], machine: list[list[float]]) -> float:
    """How well the model's own mean log-probability a token tells the two apart; above 0.5, machine text is the likelier."""
    truth = np.repeat([0, 1], [len(human), len(machine)])
    return float(roc_auc_score(truth, [math.fsum(each) / len(each) for each in human + machine]))


def feature_auc(human: list[str], machine: list[str], feature: Callable[[str], int]) -> float:
    """How well one count tells the two apart, whichever side has more: 0.5 not at all."""
    auc = roc_auc_score(np.repeat([0, 1], [len(human), len(machine)]), [feature(text) for text in human + machine])
    return float(max(auc, 1 - auc))


def distinct(texts: list[str], n: int) -> float:
    """Distinct runs of n words over all runs of n words (Li 2016, "A Diversity-Promoting Objective Function").

    Falls as texts grow in number: compare sets of one size only.
    """
    words = [re.findall(r"[#@]?\w+(?:'\w+)*", text.casefold()) for text in texts]
    runs = list(chain.from_iterable(zip(*(each[at:] for at in range(n)), strict=False) for each in words))
    return len(set(runs)) / max(len(runs), 1)


def describe(texts: list[str]) -> dict[str, Any]:
    return {
        "samples": len(texts),
        **{f"distinct_{n}": distinct(texts, n) for n in (1, 2, 3)},
        "profile": {name: float(np.mean([count(text) for text in texts])) for name, count in PROFILE.items()},
    }


def compare(human: list[str], machine: list[str], model: Model, recipe: Recipe) -> dict[str, Any]:
    """Score texts of a model against as many of people, so that the figures of categories of different size compare.

    Detectors are the mean over as many disjoint sets of machine texts as there are: one set of a thousand is off by 0.01 to 0.02.
    """
    size = min(len(human), len(machine))
    human, machine = (random.Random(recipe.seed).sample(texts, len(texts)) for texts in (human, machine))
    human = human[:size]
    parts = [machine[at : at + size] for at in range(0, len(machine) - size + 1, size)]
    likelihoods = model.log_probabilities(human, recipe.block)
    return describe(parts[0]) | {
        "ngram_auc": float(np.mean([ngram_auc(human, part, recipe.seed) for part in parts])),
        "likelihood_auc": float(np.mean([likelihood_auc(likelihoods, model.log_probabilities(part, recipe.block)) for part in parts])),
        "features": {name: float(np.mean([feature_auc(human, part, count) for part in parts])) for name, count in PROFILE.items()},
    }


def rounded(value: Any) -> Any:
    """Round every figure to what a reader may compare."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def evaluate(recipe: Recipe) -> None:
    out = Path(recipe.out)
    model = Model(out / "model", recipe.device)
    heldout = read_texts(Path(recipe.corpus) / "heldout.jsonl")
    raw, served = read_texts(out / "samples.jsonl")[: recipe.samples], read_texts(out / "served.jsonl")
    size = min(len(heldout), len(raw), len(served))
    scores: dict[str, Any] = {
        "bits_per_byte": bits_per_byte(model.log_probabilities(heldout, recipe.block), heldout),
        "heldout_tweets": len(heldout),
        "raw": compare(heldout, raw, model, recipe),
        "served": compare(heldout, served, model, recipe),
        "human": describe(random.Random(recipe.seed).sample(heldout, size)),
    }
    write_json(out / "scores.json", rounded(scores))
    print(f"bits per byte {scores['bits_per_byte']:.3f} on {len(heldout):,} held-out tweets")
    for name in ("raw", "served"):
        print(f"{name}: n-gram AUC {scores[name]['ngram_auc']:.3f}, likelihood AUC {scores[name]['likelihood_auc']:.3f}")


if __name__ == "__main__":
    run_step(evaluate)
