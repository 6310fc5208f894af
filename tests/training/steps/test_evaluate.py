"""What is measured of an exported model."""

import json
import math
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.training.conftest import HELD_OUT, SENTENCES
from training.steps.evaluate import Model, bits_per_byte, likelihood_auc, ngram_auc
from training.steps.export import export
from training.steps.recipe import Recipe, StepError


def test_bits_per_byte_by_hand() -> None:
    # One bit, one bit and two bits, for "ab" and "é": four bits on four bytes.
    assert bits_per_byte([[-math.log(2), -math.log(2)], [-math.log(4)]], ["ab", "\N{LATIN SMALL LETTER E WITH ACUTE}"]) == pytest.approx(
        1.0
    )


def test_an_exported_model_gives_texts_the_likelihood_that_torch_gives_them(trained: Recipe, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    unquantised = replace(trained, out=str(tmp_path), quantization="float32")
    (tmp_path / "tuned").symlink_to(Path(trained.out) / "tuned")
    export(unquantised)
    model = Model(tmp_path / "model", "cpu", seed=1)
    texts = ["An owl, <|endoftweet|> at noon?", *HELD_OUT[:3]]
    found = model.log_probabilities(texts, 64)

    reference = AutoModelForCausalLM.from_pretrained(tmp_path / "tuned", dtype=torch.float32).eval()
    for text, log_probabilities in zip(texts, found, strict=True):
        tokens = torch.tensor([[0, *model.tokenizer.encode(text, add_special_tokens=False).ids, 1]])
        with torch.no_grad():
            scores = reference(input_ids=tokens).logits.log_softmax(-1)[0]
        expected = scores[:-1].gather(1, tokens[0, 1:, None])[:, 0].tolist()
        assert log_probabilities == pytest.approx(expected, abs=1e-3)


def test_a_trained_model_writes_its_corpus_and_scores_say_so(trained: Recipe) -> None:
    scores = json.loads((Path(trained.out) / "scores.json").read_text(encoding="utf-8"))
    samples = [json.loads(line)["text"] for line in (Path(trained.out) / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(samples) == scores["samples"] == trained.samples
    assert scores["heldout_tweets"] == len(HELD_OUT)
    # 36 · 3 sentences of one frame: log2(108) bits for about 40 bytes are 0.17, were it learned by heart.
    assert 0.1 < scores["bits_per_byte"] < 1.0
    assert sum(text in SENTENCES for text in samples) >= 4


def test_samples_are_the_same_from_the_same_seed(trained: Recipe) -> None:
    first, second, other = (Model(Path(trained.out) / "model", "cpu", seed).sample(20, trained)[0] for seed in (5, 5, 6))
    assert first == second
    assert first != other


def test_samples_that_never_end_are_an_error(trained: Recipe) -> None:
    with pytest.raises(StepError, match=r"only 0 of \d+ samples came to an end within 2 tokens"):
        Model(Path(trained.out) / "model", "cpu", 1).sample(20, replace(trained, max_tokens=2))


def test_the_ngram_detector_tells_other_words_and_not_the_same_ones() -> None:
    human = [f"{text} Hooray {number}" for number, text in enumerate(SENTENCES)]
    machine = [f"{text} Alas {number}" for number, text in enumerate(SENTENCES)]
    assert ngram_auc(human, machine, seed=1) > 0.99
    alike = Random(1).sample(human, len(human))
    assert 0.3 < ngram_auc(alike[::2], alike[1::2], seed=1) < 0.7


def test_the_likelihood_detector_takes_the_likelier_for_the_machine() -> None:
    assert likelihood_auc([[-3.0], [-2.0, -4.0]], [[-1.0], [-0.5, -0.5]]) == 1.0
    assert likelihood_auc([[-1.0], [-3.0]], [[-2.0], [-2.0, -2.0]]) == 0.5
