"""What is measured of an exported model."""

import json
import math
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.training.conftest import HELD_OUT, SENTENCES
from training.steps.evaluate import PROFILE, Model, bits_per_byte, distinct, feature_auc, likelihood_auc, ngram_auc
from training.steps.export import export
from training.steps.recipe import Recipe


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
    model = Model(tmp_path / "model", "cpu")
    texts = ["An owl, <|endoftweet|> at noon?", *HELD_OUT[:3]]
    found = model.log_probabilities(texts, 64)

    reference = AutoModelForCausalLM.from_pretrained(tmp_path / "tuned", dtype=torch.float32).eval()
    for text, log_probabilities in zip(texts, found, strict=True):
        tokens = torch.tensor([[0, *model.tokenizer.encode(text, add_special_tokens=False).ids, 1]])
        with torch.no_grad():
            scores = reference(input_ids=tokens).logits.log_softmax(-1)[0]
        expected = scores[:-1].gather(1, tokens[0, 1:, None])[:, 0].tolist()
        assert log_probabilities == pytest.approx(expected, abs=1e-3)


def test_scores_are_of_raw_samples_and_of_what_is_served_beside_peoples_tweets(trained: Recipe) -> None:
    scores = json.loads((Path(trained.out) / "scores.json").read_text(encoding="utf-8"))
    assert scores["heldout_tweets"] == len(HELD_OUT)
    # 27 equally many sentences of 360 possible ones: log2(360) bits for about 40 bytes are 0.21, were the frame learned by heart.
    assert 0.2 < scores["bits_per_byte"] < 1.0
    # Of each kind as many as there are held-out tweets.
    assert [scores[kind]["samples"] for kind in ("raw", "served", "human")] == [len(HELD_OUT)] * 3
    assert scores["human"]["profile"]["hashtags"] == 0.0
    assert scores["served"]["features"]["hashtags"] == 0.5
    assert set(scores["raw"]) == set(scores["served"]) == set(scores["human"]) | {"ngram_auc", "likelihood_auc", "features"}


def test_the_ngram_detector_tells_other_words_and_not_the_same_ones() -> None:
    human = [f"{text} Hooray {number}" for number, text in enumerate(SENTENCES)]
    machine = [f"{text} Alas {number}" for number, text in enumerate(SENTENCES)]
    assert ngram_auc(human, machine, seed=1) > 0.99
    alike = Random(1).sample(human, len(human))
    assert 0.3 < ngram_auc(alike[::2], alike[1::2], seed=1) < 0.7


def test_the_likelihood_detector_takes_the_likelier_for_the_machine() -> None:
    assert likelihood_auc([[-3.0], [-2.0, -4.0]], [[-1.0], [-0.5, -0.5]]) == 1.0
    assert likelihood_auc([[-1.0], [-3.0]], [[-2.0], [-2.0, -2.0]]) == 0.5


def test_a_feature_alone_tells_by_how_much_more_of_it_either_side_has() -> None:
    shouting, calm = ["Go!", "Go! Go!", "Gone!"], ["Go.", "Go. Go.", "Gone."]
    count = PROFILE["exclamation_marks"]
    assert feature_auc(calm, shouting, count) == feature_auc(shouting, calm, count) == 1.0
    assert feature_auc(calm, calm, count) == 0.5
    # Of nine pairs shouting has more in six, and as many in three.
    assert feature_auc(["Go!", "Go.", "Go."], ["Go!"] * 3, count) == pytest.approx((6 + 1.5) / 9)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("#One, #two and # three!!", (24, 2, 0, 2, 0)),
        ("@nan wrote to @olga at 5 @ noon", (31, 0, 2, 0, 0)),
        ("\N{HATCHING CHICK} \N{HEAVY BLACK HEART} \N{TRADE MARK SIGN}", (5, 0, 0, 0, 2)),
    ],
)
def test_the_surface_is_counted(text: str, counts: tuple[int, ...]) -> None:
    assert tuple(count(text) for count in PROFILE.values()) == counts


def test_distinct_runs_by_hand() -> None:
    # the owl, owl sings, the wren, wren sings: four runs of four; the owl again: four of five.
    assert distinct(["The owl sings.", "The wren sings!"], 2) == 1.0
    assert distinct(["The owl sings.", "The wren sings!", "the owl"], 2) == 0.8
    assert distinct(["The owl sings.", "The wren sings!"], 1) == pytest.approx(4 / 6)
    assert distinct(["Owl"], 3) == 0.0
