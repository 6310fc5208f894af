"""Fine-tuning, on real torch and a tiny model."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.conftest import SENTENCES
from training.steps import finetune as step
from training.steps.recipe import Recipe, StepError


def result_of(recipe: Recipe) -> tuple[dict[str, object], bytes]:
    training = json.loads((Path(recipe.out) / "tuned" / "training.json").read_text(encoding="utf-8"))
    return training, (Path(recipe.out) / "tuned" / "model.safetensors").read_bytes()


def rate_interrupted_at(stop: int) -> Callable[[int, int, Recipe], float]:
    rate_at = step.rate_at

    def rate(at: int, count: int, recipe: Recipe) -> float:
        if at == stop:
            raise KeyboardInterrupt
        return rate_at(at, count, recipe)

    return rate


def test_the_model_learns_its_corpus(trained: Recipe) -> None:
    training, _ = result_of(trained)
    history = training["history"]
    assert isinstance(history, list)
    # An untrained model needs ln 320 = 5.77 nats a token.
    assert history[0]["held_back_loss"] > 1.5 * training["held_back_loss"]  # type: ignore[operator]
    assert training["held_back_loss"] == min(check["held_back_loss"] for check in history)
    assert not (Path(trained.out) / "checkpoint.pt").exists()


def test_an_interrupted_run_goes_on_and_ends_with_the_same_weights(
    trained: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = replace(trained, out=str(tmp_path))
    rate_at, steps = step.rate_at, []

    def recorded(at: int, count: int, recipe: Recipe) -> float:
        steps.append(at)
        return rate_at(at, count, recipe)

    monkeypatch.setattr(step, "rate_at", rate_interrupted_at(15))
    with pytest.raises(KeyboardInterrupt):
        step.finetune(again)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    monkeypatch.setattr(step, "rate_at", recorded)
    step.finetune(again)

    whole, whole_weights = result_of(trained)
    resumed, resumed_weights = result_of(again)
    # Two checks an epoch of four steps: the last one before the interruption came after fourteen.
    assert steps == list(range(14, 48))
    assert resumed["history"] == whole["history"]
    assert resumed_weights == whole_weights


def test_a_checkpoint_of_another_recipe_is_not_gone_on_with(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = replace(recipe, out=str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(step, "rate_at", rate_interrupted_at(3))
        with pytest.raises(KeyboardInterrupt):
            step.finetune(begun)
    with pytest.raises(StepError, match=r"checkpoint\.pt is of another recipe, base or corpus: delete it to start over"):
        step.finetune(replace(begun, rate=3e-2))


def test_a_corpus_of_another_category_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="holds birds, not fish"):
        step.finetune(replace(recipe, category="fish", out=str(tmp_path)))


def test_a_base_that_is_not_there_is_named(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"nowhere/config\.json is missing: base must be a folder in transformers format"):
        step.finetune(replace(recipe, base=str(tmp_path / "nowhere"), out=str(tmp_path)))


def test_training_stops_when_what_is_held_back_gets_no_better(recipe: Recipe, tmp_path: Path) -> None:
    # At rate 0 no check is better than the first.
    still = replace(recipe, out=str(tmp_path), rate=0.0, patience=2)
    step.finetune(still)
    training, _ = result_of(still)
    assert len(training["history"]) == 3  # type: ignore[arg-type]
    assert training["steps"] == 6


def test_blocks_hold_whole_tweets_in_order() -> None:
    tweets = [[1] * 5, [2] * 3, [3] * 4, [4] * 8, [5] * 1]
    assert step.pack(tweets, 8) == [[tweets[0], tweets[1]], [tweets[2]], [tweets[3]], [tweets[4]]]


def test_every_epoch_reads_every_tweet_once(recipe: Recipe) -> None:
    tweets = [[number] * 7 for number in range(50)]
    batches = step.batches_of(tweets, replace(recipe, epochs=2))
    read = [tweet[0] for batch in batches for block in batch for tweet in block]
    assert sorted(read[:50]) == sorted(read[50:]) == list(range(50))
    assert read[:50] != read[50:]


def test_a_tweet_that_spells_a_special_token_stays_text(base: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    [tokens] = step.encode(["an <|endoftweet|> inside"], tokenizer, 0, 1, 64)
    assert (tokens[0], tokens[-1], 1 in tokens[1:-1]) == (0, 1, False)
    assert tokenizer.decode(tokens[1:-1]) == "an <|endoftweet|> inside"


def test_tweets_of_one_block_do_not_see_each_other(base: Path) -> None:
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    first, second = step.encode(SENTENCES[:2], Tokenizer.from_file(str(base / "tokenizer.json")), 0, 1, 32)

    def logits(tweets: list[list[int]]) -> torch.Tensor:
        inputs, _, positions = step.tensors([tweets], 64, 1, torch.device("cpu"))
        with torch.no_grad():
            return model(input_ids=inputs, position_ids=positions, use_cache=False).logits[0]

    packed, alone = logits([first, second])[len(first) : len(first) + len(second)], logits([second])[: len(second)]
    torch.testing.assert_close(packed, alone)


def test_the_rate_warms_up_and_falls_to_its_floor(recipe: Recipe) -> None:
    plan = replace(recipe, rate=1.0, warmup=0.1, floor=0.2)
    rates = [step.rate_at(at, 100, plan) for at in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10] == max(rates) == 1.0
    assert rates[55] == pytest.approx(0.6)
    assert rates[100] == pytest.approx(0.2)
