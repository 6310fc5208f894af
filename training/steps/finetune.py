"""Fine-tune a base model on a category's train split: `python -m training.steps.finetune RECIPE.toml`.

Interrupted, it goes on from its last check when it is run again, and ends with the same weights.
"""

import math
import random
import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from tqdm import tqdm
from transformers import AutoModelForCausalLM
from transformers import logging as transformers_logging

from training.steps.files import read_json, read_texts, run_step, sha256, write_json, written_aside
from training.steps.recipe import Recipe, StepError, knobs

IGNORED = -100  # the label that cross entropy leaves out

Block = list[list[int]]  # whole tweets, as tokens


@dataclass
class Progress:
    """Where training stands, beside the weights; all of it is in the checkpoint."""

    step: int = 0
    best_loss: float = math.inf
    checks_since_best: int = 0
    seconds: float = 0.0


def encode(texts: list[str], tokenizer: Tokenizer, start: int, end: int, block: int) -> list[list[int]]:
    """Turn each text into start, its tokens, end; cut to one block."""
    tokenizer.encode_special_tokens = True  # a tweet that spells a special token stays text
    return [[start, *encoding.ids, end][:block] for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]


def pack(tweets: list[list[int]], block: int) -> list[Block]:
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


def batches_of(tweets: list[list[int]], recipe: Recipe) -> list[list[Block]]:
    """Plan every batch of every epoch, so that a resumed run goes the same way."""
    batches = []
    for epoch in range(recipe.epochs):
        order = tweets[:]
        random.Random(f"{recipe.seed} {epoch}").shuffle(order)
        blocks = pack(order, recipe.block)
        batches += [blocks[at : at + recipe.batch] for at in range(0, len(blocks), recipe.batch)]
    return batches


def tensors(batch: list[Block], block: int, filler: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Lay a batch out as inputs, labels and positions, each (blocks, tokens).

    Positions start again with each tweet: from that, transformers masks the tweets of one block
    from each other, so the model learns to begin a tweet with nothing before it, as it must later.
    """
    inputs = torch.full((len(batch), block), filler)
    labels = torch.full((len(batch), block), IGNORED)
    positions = torch.zeros((len(batch), block), dtype=torch.long)
    for row, tweets in enumerate(batch):
        at = 0
        for tweet in tweets:
            here = slice(at, at + len(tweet))
            inputs[row, here] = torch.tensor(tweet)
            labels[row, here] = torch.tensor([IGNORED, *tweet[1:]])
            positions[row, here] = torch.arange(len(tweet))
            at += len(tweet)
    return inputs.to(device), labels.to(device), positions.to(device)


def rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """Warm up in a line, then fall along half a cosine to the floor."""
    warmup = max(1, round(recipe.warmup * steps))
    if step < warmup:
        return recipe.rate * (step + 1) / warmup
    fallen = (step - warmup) / max(1, steps - warmup)
    return recipe.rate * (recipe.floor + (1 - recipe.floor) * (1 + math.cos(math.pi * fallen)) / 2)


def finetune(recipe: Recipe) -> None:
    # --- setup
    transformers_logging.disable_progress_bar()
    out, base = Path(recipe.out), Path(recipe.base)
    corpus = read_json(Path(recipe.corpus) / "corpus.json")
    if corpus["category"] != recipe.category:
        raise StepError(f"{recipe.corpus} holds {corpus['category']}, not {recipe.category}")
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        if not (base / name).exists():
            raise StepError(f"{base / name} is missing: base must be a folder in transformers format")
    device = torch.device(recipe.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise StepError(f"device is {recipe.device!r}, and no CUDA device is here")
    torch.manual_seed(recipe.seed)
    dropouts = dict.fromkeys(("attn_pdrop", "embd_pdrop", "resid_pdrop"), recipe.dropout)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, local_files_only=True, **dropouts)
    model.to(device)
    start, end = model.config.bos_token_id, model.config.eos_token_id
    texts = read_texts(Path(recipe.corpus) / "train.jsonl")
    tweets = encode(texts, Tokenizer.from_file(str(base / "tokenizer.json")), start, end, recipe.block)
    random.Random(recipe.seed).shuffle(tweets)
    held_back = math.ceil(recipe.held_back * len(tweets))
    if not 0 < held_back < len(tweets):
        raise StepError(f"{recipe.corpus}: {len(tweets)} tweets are too few to train on {1 - recipe.held_back:.0%} of them")
    watched = pack(tweets[:held_back], recipe.block)
    batches = batches_of(tweets[held_back:], recipe)
    check_every = max(1, len(batches) // (recipe.epochs * recipe.checks))
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, betas=(0.9, 0.95), weight_decay=recipe.weight_decay)
    autocast = torch.autocast(device.type, getattr(torch, recipe.precision)) if recipe.precision != "float32" else nullcontext()
    identity = {"recipe": knobs(recipe), "base": sha256(base / "model.safetensors"), "corpus": corpus["sha256"]}

    # --- functions
    def loss_of(batch: list[Block]) -> torch.Tensor:
        inputs, labels, positions = tensors(batch, recipe.block, end, device)
        with autocast:
            logits = model(input_ids=inputs, position_ids=positions, use_cache=False).logits
        return cross_entropy(logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)

    @torch.no_grad()
    def watched_loss() -> float:
        """Mean nats a token over what is held back."""
        model.eval()
        total = tokens = 0.0
        for at in range(0, len(watched), recipe.batch):
            batch = watched[at : at + recipe.batch]
            predicted = sum(len(tweet) - 1 for block in batch for tweet in block)
            total += loss_of(batch).item() * predicted
            tokens += predicted
        model.train()
        return total / tokens

    def save_checkpoint() -> None:
        state: dict[str, Any] = {"identity": identity, "progress": vars(progress), "best": best, "history": history}
        state |= {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "random": torch.get_rng_state()}
        with written_aside(checkpoint) as aside:
            torch.save(state, aside)

    # --- resume
    checkpoint = out / "checkpoint.pt"
    progress, history, best = Progress(), [], {}
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        if state["identity"] != identity:
            raise StepError(f"{checkpoint} is of another recipe, base or corpus: delete it to start over")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"].cpu())
        progress, history, best = Progress(**state["progress"]), state["history"], state["best"]
        tqdm.write(f"goes on after step {progress.step} of {len(batches)}")

    # --- loop
    model.train()
    seconds_before, started = progress.seconds, time.monotonic()
    bar = tqdm(total=len(batches), initial=progress.step, desc=recipe.category, unit="step", disable=None)
    while progress.step < len(batches) and progress.checks_since_best < recipe.patience:
        for group in optimizer.param_groups:
            group["lr"] = rate_at(progress.step, len(batches), recipe)
        loss = loss_of(batches[progress.step])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        progress.step += 1
        bar.update()
        if progress.step % check_every == 0 or progress.step == len(batches):
            check = {"step": progress.step, "train_loss": loss.item(), "held_back_loss": watched_loss()}
            history.append(check)
            progress.checks_since_best += 1
            if check["held_back_loss"] < progress.best_loss:
                progress.best_loss, progress.checks_since_best = check["held_back_loss"], 0
                best = {name: value.detach().clone() for name, value in model.state_dict().items()}
            progress.seconds = seconds_before + time.monotonic() - started
            save_checkpoint()
            tqdm.write("step {step}/{steps}  train {train_loss:.4f}  held back {held_back_loss:.4f}".format(steps=len(batches), **check))
    bar.close()

    # --- result
    model.load_state_dict(best)
    with written_aside(out / "tuned") as folder:
        model.save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).write_bytes((base / name).read_bytes())
        write_json(
            folder / "training.json",
            {
                "corpus_sha256": corpus["sha256"],
                "base_sha256": identity["base"],
                "parameters": model.num_parameters(),
                "steps": progress.step,
                "seconds": round(progress.seconds, 1),
                "held_back_loss": progress.best_loss,
                "history": history,
                "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )
    checkpoint.unlink()
    tqdm.write(f"fine-tuned: {out / 'tuned'}, {progress.best_loss:.4f} nats a token on what was held back")


if __name__ == "__main__":
    run_step(finetune)
