"""A language model of a few thousand parameters and a corpus of made-up sentences, to run every step on for real."""

import hashlib
import itertools
import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from game.pool.rules import fingerprint
from generation.rules import RUN_BYTES, WORD_BYTES, HashedSet, learned, run_hashes, word_hash, words_of
from training.rules import length_profile
from training.steps.recipe import Recipe

# Many more than the corpus holds: the model shall say some that are new.
POSSIBLE = [
    f"The {bird} by the {place} sings {how} {when}."
    for bird, place, how, when in itertools.product(
        ("wren", "heron", "robin", "owl", "finch", "crane"),
        ("mill", "pond", "gate", "barn", "hill"),
        ("softly", "loudly", "badly", "nicely"),
        ("today", "tonight", "again"),
    )
]
SENTENCES = Random(1).sample(POSSIBLE, 108)
HELD_OUT = SENTENCES[::4]
TRAIN = [text for text in SENTENCES if text not in HELD_OUT]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a base model with random weights in transformers format."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("base")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|startoftweet|>", "<|endoftweet|>", "<|pad|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        SENTENCES, trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    )
    start, end, pad = special
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=start, eos_token=end, unk_token=end, pad_token=pad).save_pretrained(
        folder
    )
    config = GPT2Config(vocab_size=320, n_positions=64, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=1, pad_token_id=2)
    torch.manual_seed(0)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a corpus as export_corpus does."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, texts in (("train", TRAIN), ("heldout", HELD_OUT)):
        lines = [json.dumps({"text": text, "author": "nan", "posted_at": None}) + "\n" for text in texts]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "words.bin").write_bytes(HashedSet.of((word_hash(word) for text in TRAIN for word in words_of(text)), WORD_BYTES).to_bytes())
    (folder / "runs.bin").write_bytes(HashedSet.of((run for text in TRAIN for run in run_hashes(text)), RUN_BYTES).to_bytes())
    (folder / "learned.bin").write_bytes(learned(map(fingerprint, TRAIN)).to_bytes())
    (folder / "profile.json").write_text(json.dumps(length_profile(map(len, TRAIN))), encoding="utf-8")
    facts = {"category": "birds", "language": "en", "train": len(TRAIN), "heldout": len(HELD_OUT), "authors": {"nan": len(SENTENCES)}}
    sha256 = hashlib.sha256((folder / "train.jsonl").read_bytes()).hexdigest()
    (folder / "corpus.json").write_text(json.dumps(facts | {"split": "by hand", "sha256": sha256}), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def recipe(base: Path, corpus: Path) -> Recipe:
    return Recipe(
        name="tiny",
        category="birds",
        base=str(base),
        base_name="random weights",
        corpus=str(corpus),
        out="",
        block=64,
        batch=4,
        rate=2e-2,
        epochs=12,
        held_back=0.1,
        dropout=0.1,
        max_tokens=48,
        samples=40,
        judge_samples=300,
        candidates=2,
        device="cpu",
    )


@pytest.fixture(scope="session")
def trained(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Run every stage from fine-tuning to the figures; give the recipe whose `out` holds what they wrote."""
    from training.measuring import draw_samples, draw_served, write_features
    from training.steps.evaluate import evaluate
    from training.steps.export import export
    from training.steps.finetune import finetune
    from training.steps.judge import judge

    done = replace(recipe, out=str(tmp_path_factory.mktemp("out")))
    finetune(done)
    export(done)
    draw_samples(recipe=done)
    write_features(recipe=done)
    judge(done)
    draw_served(recipe=done)
    evaluate(done)
    return done
