"""Tweets as blocks of tokens."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.training.conftest import SENTENCES
from training.steps.recipe import Recipe


def test_blocks_hold_whole_tweets_in_order() -> None:
    from training.steps.packing import pack

    tweets = [[1] * 5, [2] * 3, [3] * 4, [4] * 8, [5] * 1]
    assert pack(tweets, 8) == [[tweets[0], tweets[1]], [tweets[2]], [tweets[3]], [tweets[4]]]


def test_every_epoch_reads_every_tweet_once_and_in_another_order(recipe: Recipe) -> None:
    from training.steps.packing import blocks_of_all_epochs

    tweets = [[number] * 7 for number in range(50)]
    for packed in (True, False):
        blocks = blocks_of_all_epochs(tweets, replace(recipe, epochs=2), packed=packed)
        read = [tweet[0] for block in blocks for tweet in block]
        assert sorted(read[:50]) == sorted(read[50:]) == list(range(50))
        assert read[:50] != read[50:]
        assert len(blocks) % recipe.batch == 0
        assert max(map(len, blocks)) == (9 if packed else 1)  # nine tweets of seven tokens in 64


@given(st.lists(st.text(min_size=1), min_size=2, unique=True), st.floats(0.01, 0.99))
def test_what_is_held_back_is_never_trained_on(texts: list[str], share: float) -> None:
    from training.steps.packing import hold_back

    recipe = Recipe(name="n", category="c", corpus="", out="", held_back=share)
    train, watched = hold_back(texts, recipe)
    assert Counter(train + watched) == Counter(texts)
    assert not set(train) & set(watched)
    assert (train, watched) == hold_back(texts, recipe)


def test_a_block_is_laid_out_with_positions_that_start_again() -> None:
    from training.steps.packing import IGNORED, collate

    laid = collate([[[0, 5, 6, 1], [0, 7, 1]], []], block=8, filler=1)
    assert laid["input_ids"].tolist() == [[0, 5, 6, 1, 0, 7, 1, 1], [1] * 8]
    assert laid["position_ids"].tolist() == [[0, 1, 2, 3, 0, 1, 2, 0], [0] * 8]
    # A tweet's first token is given, so its label is none: nothing learns to follow the tweet before.
    assert laid["labels"].tolist() == [[IGNORED, 5, 6, 1, IGNORED, 7, 1, IGNORED], [IGNORED] * 8]


def test_a_tweet_that_spells_a_special_token_stays_text(base: Path) -> None:
    from tokenizers import Tokenizer

    from training.steps.packing import encode

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    [tokens] = encode(["an <|endoftweet|> inside"], tokenizer, 0, 1, 64)
    assert (tokens[0], tokens[-1], 1 in tokens[1:-1]) == (0, 1, False)
    assert tokenizer.decode(tokens[1:-1]) == "an <|endoftweet|> inside"


def test_tweets_of_one_block_do_not_see_each_other(base: Path) -> None:
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM

    from training.steps.packing import collate, encode, keeps_tweets_apart

    first, second = encode(SENTENCES[:2], Tokenizer.from_file(str(base / "tokenizer.json")), 0, 1, 32)
    for attention in ("eager", "sdpa"):
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation=attention).eval()

        def logits(tweets: list[list[int]], model: torch.nn.Module = model) -> torch.Tensor:
            laid = collate([tweets], block=64, filler=1)
            with torch.no_grad():
                found: torch.Tensor = model(input_ids=laid["input_ids"], position_ids=laid["position_ids"], use_cache=False).logits[0]
            return found

        alone, after = logits([second])[: len(second)], logits([first, second])[len(first) :][: len(second)]
        assert torch.allclose(alone, after, atol=1e-5)
        assert keeps_tweets_apart(model, [first, second], 1)


def test_a_model_that_reads_across_is_found_out() -> None:
    import torch

    from training.steps.packing import keeps_tweets_apart

    class RunningMean(torch.nn.Module):
        """Scores each token by the mean of all before it in the block, whatever their positions."""

        device = torch.device("cpu")

        def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor, use_cache: bool) -> object:
            mean = input_ids.float().cumsum(1) / torch.arange(1, input_ids.shape[1] + 1)
            return type("Output", (), {"logits": mean[..., None]})()

    assert not keeps_tweets_apart(RunningMean(), [[0, 5, 1], [0, 9, 1]], 1)
