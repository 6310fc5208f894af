"""Where a fine-tuning starts: a shipped base, a folder, or a causal language model on the hub."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from training.steps.packing import Tokens
from training.steps.recipe import Recipe, StepError

STARTER = Path(__file__).resolve().parent.parent / "base"
# What architectures call their dropouts.
DROPOUTS = ("attn_pdrop", "embd_pdrop", "resid_pdrop", "attention_dropout", "hidden_dropout", "dropout")


@dataclass(frozen=True)
class Base:
    """A base model in float32, and what is needed to write tweets in its tokens."""

    model: Any
    tokenizer: Any  # of transformers
    start: int  # before each tweet
    end: int  # after it; the same token where the model knows but one

    @property
    def text_tokenizer(self) -> Tokenizer:
        return self.tokenizer.backend_tokenizer


def load_base(recipe: Recipe, *, attention: str = "sdpa") -> Base:
    """Load what `recipe.base` names; StepError says in one line why it can't be trained.

    `attention` is an implementation that transformers names: eager is the faster one on a CPU, for blocks as short as ours.
    """
    place = str(STARTER) if recipe.base == "starter" else recipe.base
    local = Path(place).exists() or place.startswith((".", "/"))
    if local and not (Path(place) / "config.json").is_file():
        raise StepError(f"{place} holds no config.json: base must be a folder in transformers format")
    try:
        config = AutoConfig.from_pretrained(place, local_files_only=local)
        tokenizer = AutoTokenizer.from_pretrained(place, local_files_only=local, use_fast=True)
    except (OSError, ValueError, KeyError) as error:
        raise StepError(f"base {place!r}: {_first_line(error)}") from error
    if not getattr(tokenizer, "is_fast", False) or len(tokenizer) < 2:
        raise StepError(f"base {place!r} has no tokenizer.json: save its tokenizer beside it")
    positions = getattr(config, "max_position_embeddings", recipe.block)
    if recipe.block > positions:
        raise StepError(f"block is {recipe.block}, and base {place!r} reads {positions} tokens at most")
    for name in DROPOUTS:
        if isinstance(getattr(config, name, None), int | float):
            setattr(config, name, recipe.dropout)
    end = _first(tokenizer.eos_token_id, config.eos_token_id)
    start = _first(tokenizer.bos_token_id, config.bos_token_id, end)
    if end is None or start is None:
        raise StepError(f"base {place!r} names no token that ends a text (eos_token)")
    try:
        model = AutoModelForCausalLM.from_pretrained(
            place, config=config, dtype=torch.float32, local_files_only=local, attn_implementation=attention
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise StepError(f"base {place!r}: {_first_line(error)}") from error
    return Base(model, tokenizer, start, end)


def weights_sha256(model: Any) -> str:
    """Hash the weights in float32, each with its name, in the order of their names: whatever files they lie in."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().to("cpu", torch.float32).contiguous().numpy().data)
    return digest.hexdigest()


@torch.no_grad()
def write_texts_of(base: Base, recipe: Recipe, prompts: Sequence[Tokens], seed: int) -> list[str]:
    """Let the model go on from each prompt, the same for the same seed; leaves torch's own chance as it was."""
    model = base.model
    training = model.training
    model.eval()
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        written = model.generate(
            input_ids=torch.tensor(prompts, device=model.device),
            attention_mask=torch.ones((len(prompts), len(prompts[0])), dtype=torch.long, device=model.device),
            do_sample=True,
            top_k=recipe.topk,
            top_p=recipe.topp,
            temperature=recipe.temperature,
            max_new_tokens=min(recipe.max_tokens, recipe.block - len(prompts[0])),
            bos_token_id=base.start,
            eos_token_id=base.end,
            pad_token_id=base.end,
        )
    model.train(training)
    return [text.strip() for text in base.tokenizer.batch_decode(written, skip_special_tokens=True)]


def _first(*values: Any) -> int | None:
    for value in values:
        if value is not None:
            return int(value[0] if isinstance(value, list) else value)
    return None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
