"""Begin a base model from nothing: `python -m training.steps.scratch RECIPE.toml`.

Writes the folder `base` of the recipe: a byte-level BPE learned from what the corpus trains on, and
a GPT-2 with random weights. The step finetune then trains it like any other base.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from transformers import logging as transformers_logging

from training.steps.files import read_texts, run_step, written_aside
from training.steps.packing import hold_back
from training.steps.recipe import Recipe, StepError

START, END, PAD = SPECIAL = ("<|startoftweet|>", "<|endoftweet|>", "<|pad|>")


def scratch(recipe: Recipe) -> None:
    transformers_logging.disable_progress_bar()
    base = Path(recipe.base)
    if base.exists():
        raise StepError(f"{base} exists: delete it to begin again, or go on with finetune")
    if recipe.width % recipe.heads:
        raise StepError(f"width {recipe.width} can't be shared by {recipe.heads} heads")
    train, _ = hold_back(read_texts(Path(recipe.corpus) / "train.jsonl"), recipe)

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if recipe.vocabulary < len(alphabet) + len(SPECIAL):
        raise StepError(f"vocabulary is {recipe.vocabulary}: the bytes and the special tokens alone are {len(alphabet) + len(SPECIAL)}")
    tokenizer.train_from_iterator(
        train,
        trainers.BpeTrainer(vocab_size=recipe.vocabulary, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False),
    )
    torch.manual_seed(recipe.seed)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=tokenizer.get_vocab_size(),
            n_positions=recipe.block,
            n_embd=recipe.width,
            n_layer=recipe.layers,
            n_head=recipe.heads,
            bos_token_id=tokenizer.token_to_id(START),
            eos_token_id=tokenizer.token_to_id(END),
            pad_token_id=tokenizer.token_to_id(PAD),
        )
    )
    with written_aside(base) as folder:
        model.save_pretrained(folder)
        # CTranslate2 refuses a model without an unknown token, which bytes never need.
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=START, eos_token=END, unk_token=END, pad_token=PAD).save_pretrained(
            folder
        )
    print(f"begun: {base}, {model.num_parameters() / 1e6:.1f} M parameters, {tokenizer.get_vocab_size():,} tokens")


if __name__ == "__main__":
    run_step(scratch)
