"""Measure an exported model on tweets it has not seen: `python -m training.steps.evaluate RECIPE.toml`.

Writes samples.jsonl and scores.json. Scores what players will meet: the quantised model, and
machine tweets sampled the way the game samples them.
"""

import math
import random
from pathlib import Path

import ctranslate2
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from tokenizers import Tokenizer

from training.steps.files import read_json, read_texts, run_step, write_json, write_texts
from training.steps.recipe import Recipe, StepError

BATCH = 128


class Model:
    """An exported model: gives the likelihood of texts, and writes its own."""

    def __init__(self, folder: Path, device: str, seed: int) -> None:
        config = read_json(folder / "config.json")
        self.start, self.end = config["bos_token"], config["eos_token"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.encode_special_tokens = True
        ctranslate2.set_random_seed(seed)
        kind, _, index = device.partition(":")
        self.generator = ctranslate2.Generator(str(folder), device=kind, device_index=int(index or 0))

    def log_probabilities(self, texts: list[str], block: int) -> list[list[float]]:
        """Give the natural log-probability of each token of each text, its end included."""
        tokens = [[self.start, *self.tokenizer.encode(text, add_special_tokens=False).tokens, self.end][:block] for text in texts]
        return [result.log_probs for result in self.generator.score_batch(tokens, max_batch_size=BATCH)]

    def sample(self, count: int, recipe: Recipe) -> tuple[list[str], int]:
        """Write tweets; give those that came to an end, and how many were begun."""
        texts: list[str] = []
        begun = 0
        while len(texts) < count and begun < 4 * count:
            results = self.generator.generate_batch(
                [[self.start]] * BATCH,
                max_length=recipe.max_tokens,
                include_prompt_in_result=False,
                return_end_token=True,
                sampling_topk=recipe.topk,
                sampling_topp=recipe.topp,
                sampling_temperature=recipe.temperature,
            )
            ends = self.tokenizer.token_to_id(self.end)
            finished = [result.sequences_ids[0][:-1] for result in results if result.sequences_ids[0][-1] == ends]
            texts += [text for text in (text.strip() for text in self.tokenizer.decode_batch(finished)) if text]
            begun += BATCH
        if len(texts) < count:
            raise StepError(f"only {len(texts)} of {begun} samples came to an end within {recipe.max_tokens} tokens")
        return texts[:count], begun


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


def evaluate(recipe: Recipe) -> None:
    out = Path(recipe.out)
    model = Model(out / "model", recipe.device, recipe.seed)
    heldout = read_texts(Path(recipe.corpus) / "heldout.jsonl")
    texts, begun = model.sample(recipe.samples, recipe)
    human = model.log_probabilities(heldout, recipe.block)
    machine = model.log_probabilities(texts, recipe.block)

    # Classes of one size, so that the figures of categories of different size compare.
    chosen = random.Random(recipe.seed).sample(range(len(heldout)), min(len(heldout), len(texts)))
    write_texts(out / "samples.jsonl", texts)
    scores = {
        "bits_per_byte": bits_per_byte(human, heldout),
        "heldout_tweets": len(heldout),
        "ngram_auc": ngram_auc([heldout[i] for i in chosen], texts[: len(chosen)], recipe.seed),
        "likelihood_auc": likelihood_auc([human[i] for i in chosen], machine[: len(chosen)]),
        "samples": len(texts),
        "samples_begun": begun,
    }
    write_json(out / "scores.json", {key: round(value, 4) for key, value in scores.items()})
    for key, value in scores.items():
        print(f"{key:16} {value:.4g}")


if __name__ == "__main__":
    run_step(evaluate)
