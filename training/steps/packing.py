"""Tweets as blocks of tokens: whole tweets side by side, none of which sees another."""

import math
import random
from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer

from training.steps.recipe import Recipe

IGNORED = -100  # the label that cross entropy leaves out

Tokens = list[int]
Block = list[Tokens]  # whole tweets that fit side by side


def encode(texts: list[str], tokenizer: Tokenizer, start: int, end: int, block: int) -> list[Tokens]:
    """Turn each text into start, its tokens, end; cut to one block."""
    tokenizer.encode_special_tokens = True  # a tweet that spells a special token stays text
    return [[start, *encoding.ids, end][:block] for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]


def hold_back(texts: list[str], recipe: Recipe) -> tuple[list[str], list[str]]:
    """Divide texts at random into those to train on and those that watch for overfitting; the same for the same seed."""
    shuffled = random.Random(recipe.seed).sample(texts, len(texts))
    count = math.ceil(recipe.held_back * len(texts))
    return shuffled[count:], shuffled[:count]


def pack(tweets: Sequence[Tokens], block: int) -> list[Block]:
    """Fill blocks with whole tweets, in order."""
    blocks: list[Block] = []
    room = 0
    for tweet in tweets:
        if len(tweet) > room:
            blocks.append([])
            room = block
        blocks[-1].append(tweet)
        room -= len(tweet)
    return blocks


def blocks_of_all_epochs(tweets: Sequence[Tokens], recipe: Recipe, *, packed: bool) -> list[Block]:
    """Plan every block of every epoch, each epoch shuffled anew, so that a resumed run goes the same way.

    The last step of an epoch is filled up with empty blocks: all batches are of one shape. Not
    `packed`, a block holds one tweet.
    """
    planned: list[Block] = []
    for epoch in range(recipe.epochs):
        order = random.Random(f"{recipe.seed} {epoch}").sample(tweets, len(tweets))
        planned += pack(order, recipe.block) if packed else [[tweet] for tweet in order]
        planned += [[] for _ in range(-len(planned) % recipe.batch)]
    return planned


def collate(blocks: Sequence[Block], *, block: int, filler: int) -> dict[str, torch.Tensor]:
    """Lay blocks out as input_ids, labels and position_ids, each (blocks, tokens).

    Positions start again with each tweet: from that, transformers masks the tweets of one block
    from each other, so the model learns to begin a tweet with nothing before it, as it must later.
    """
    inputs = torch.full((len(blocks), block), filler)
    labels = torch.full((len(blocks), block), IGNORED)
    positions = torch.zeros((len(blocks), block), dtype=torch.long)
    for row, tweets in enumerate(blocks):
        at = 0
        for tweet in tweets:
            here = slice(at, at + len(tweet))
            inputs[row, here] = torch.tensor(tweet)
            labels[row, here] = torch.tensor([IGNORED, *tweet[1:]])
            positions[row, here] = torch.arange(len(tweet))
            at += len(tweet)
    return {"input_ids": inputs, "labels": labels, "position_ids": positions}


@torch.no_grad()
def keeps_tweets_apart(model: Any, tweets: Sequence[Tokens], filler: int) -> bool:
    """Try whether the model reads a tweet alike alone and after another in the same block.

    Architectures that mask by something else than positions would let it see its neighbour.
    """
    first, second = (tweet[:16] for tweet in tweets[:2])
    width = len(first) + len(second)
    training = model.training
    model.eval()
    together, alone = (
        model(input_ids=laid["input_ids"].to(model.device), position_ids=laid["position_ids"].to(model.device), use_cache=False).logits[0]
        for laid in (collate([[first, second]], block=width, filler=filler), collate([[second]], block=len(second), filler=filler))
    )
    model.train(training)
    return torch.allclose(together[len(first) :], alone, atol=1e-3)
