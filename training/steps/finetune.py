"""Fine-tune a base model on a category's train split: `python -m training.steps.finetune RECIPE.toml`.

On several devices: `torchrun --nproc-per-node 2 -m training.steps.finetune RECIPE.toml`; the batch of
the recipe is that of all together, so the result does not depend on their number. Interrupted or
killed, it goes on from its last checkpoint when it is run again, and ends with the same weights.
"""

import math
import os
import shutil
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pytorch_optimizer import Muon
from safetensors import SafetensorError
from torch.nn.functional import cross_entropy
from tqdm import tqdm
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainingArguments
from transformers import logging as transformers_logging

from training.steps.base_models import load_base, weights_sha256
from training.steps.files import read_json, read_texts, run_step, write_json, write_texts, written_aside
from training.steps.packing import IGNORED, Block, blocks_of_all_epochs, collate, encode, hold_back, keeps_tweets_apart, pack
from training.steps.recipe import Recipe, StepError, knobs
from training.steps.watching import ProgressFile, Watcher

CURVE = 200  # points of the loss curve, at least where there are so many steps


class Tuner(Trainer):
    """The Trainer with our optimiser, and a held-back loss that weighs every token alike."""

    def __init__(self, recipe: Recipe, watched: list[Block], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.recipe, self.watched = recipe, watched
        self.network, self.lay_out = arguments["model"], arguments["data_collator"]

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Give hidden matrices to Muon and the rest to AdamW, where the recipe asks for it."""
        if self.recipe.optimizer == "adamw":
            return super().create_optimizer(model)
        named = list(self.network.named_parameters())
        embeddings = {id(part.weight) for part in self.network.modules() if isinstance(part, torch.nn.Embedding)}
        matrices = [value for _, value in named if value.ndim == 2 and id(value) not in embeddings]
        rest = [value for _, value in named if value.ndim != 2 or id(value) in embeddings]
        self.optimizer = Muon(
            [
                {"params": matrices, "lr": self.recipe.matrix_rate, "use_muon": True, "use_adjusted_lr": True},
                {"params": rest, "lr": self.recipe.rate, "betas": (0.9, 0.95), "use_muon": False},
            ]
        )
        return self.optimizer

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Measure the mean nats a token over what is held back."""
        metrics = {"eval_loss": self._held_back_loss()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    @torch.no_grad()
    def _held_back_loss(self) -> float:
        self.network.eval()
        nats, tokens = 0.0, 0
        for at in range(0, len(self.watched), self.args.train_batch_size):
            batch = self._prepare_inputs(self.lay_out(self.watched[at : at + self.args.train_batch_size]))
            labels = batch.pop("labels")
            with self.compute_loss_context_manager(), torch.autocast(labels.device.type, torch.bfloat16, enabled=self.args.bf16):
                logits = self.network(**batch, use_cache=False).logits
            kept = labels[:, 1:] != IGNORED
            nats += cross_entropy(logits[:, :-1][kept].float(), labels[:, 1:][kept], reduction="sum").item()
            tokens += int(kept.sum())
        self.network.train()
        return nats / tokens


def finetune(recipe: Recipe) -> None:
    # --- setup
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    out = Path(recipe.out)
    corpus = read_json(Path(recipe.corpus) / "corpus.json")
    if corpus["category"] != recipe.category:
        raise StepError(f"{recipe.corpus} holds {corpus['category']}, not {recipe.category}")
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    on_gpu = recipe.device == "cuda" or (recipe.device == "auto" and torch.cuda.is_available())
    if on_gpu and not torch.cuda.is_available():
        raise StepError("device is 'cuda', and no CUDA device is here")
    if recipe.batch % processes:
        raise StepError(f"batch {recipe.batch} can't be shared by {processes} processes")
    torch.manual_seed(recipe.seed)
    attention = "sdpa" if on_gpu else "eager"
    base = load_base(recipe, attention=attention)
    identity = {"recipe": knobs(recipe), "base": weights_sha256(base.model), "corpus": corpus["sha256"]}

    # --- data
    train, watched = hold_back(read_texts(Path(recipe.corpus) / "train.jsonl"), recipe)
    if not train or not watched:
        raise StepError(f"{recipe.corpus}: {len(train) + len(watched)} tweets are too few to train on {1 - recipe.held_back:.0%} of them")
    tweets, watched_tweets = (encode(texts, base.text_tokenizer, base.start, base.end, recipe.block) for texts in (train, watched))
    packed = keeps_tweets_apart(base.model, (tweets * 2)[:2], base.end)
    planned = blocks_of_all_epochs(tweets, recipe, packed=packed)
    held_back_blocks = pack(watched_tweets, recipe.block) if packed else [[tweet] for tweet in watched_tweets]

    # --- resume
    checkpoints = out / "checkpoints"
    if checkpoints.exists() and read_json(checkpoints / "identity.json") != identity:
        raise StepError(f"{checkpoints} is of another recipe, base or corpus: delete it to start over")
    write_json(checkpoints / "identity.json", identity)
    progress = ProgressFile(out / "progress.jsonl")
    at_once = recipe.at_once or recipe.batch // processes
    notes = [] if packed else ["one tweet a block: this architecture does not keep packed tweets apart"]

    # --- train
    while True:
        last = last_checkpoint(checkpoints)
        step = int(last.name.rpartition("-")[2]) if last else 0
        watcher = Watcher(base, recipe, progress, seconds=progress.rewind(step))
        for note in notes:
            progress.add(note=note)
        if last:
            tqdm.write(f"goes on after step {step} of {len(planned) // recipe.batch}")
        tuner = Tuner(
            recipe,
            held_back_blocks,
            model=base.model,
            args=arguments(recipe, len(planned) // recipe.batch, at_once, processes, on_gpu=on_gpu),
            data_collator=partial(collate, block=recipe.block, filler=base.end),
            train_dataset=planned,
            eval_dataset=held_back_blocks,
            callbacks=[watcher, EarlyStoppingCallback(early_stopping_patience=recipe.patience)],
        )
        tuner.remove_callback(PrinterCallback)
        try:
            with watcher:
                tuner.train(resume_from_checkpoint=str(last) if last else None)
            break
        except torch.OutOfMemoryError as error:
            if at_once == 1:
                raise StepError("the device has no memory for a single block: choose a smaller base or block") from error
            at_once = next(size for size in range(at_once // 2, 0, -1) if recipe.batch % (size * processes) == 0)
            notes.append(f"batch halved to {at_once} at a time: the device has no memory for more; gradients add up to the same step")
            tqdm.write(notes[-1])
            # Steps since the last checkpoint changed the weights.
            base = load_base(recipe, attention=attention)
        except (RuntimeError, SafetensorError) as error:
            if shutil.disk_usage(out).free < 2 * base.model.get_memory_footprint():
                raise StepError(f"the disk of {out} is full; the last whole checkpoint is kept: make room and run it again") from error
            raise
    if watcher.stopped:
        raise StepError(f"interrupted after step {tuner.state.global_step}; run it again to go on")
    if processes > 1:
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
        if not progress.writes:
            return

    # --- result
    best_loss = float(tuner.state.best_metric or math.nan)
    nats = best_loss * sum(len(tweet) - 1 for tweet in watched_tweets)
    with written_aside(out / "tuned") as folder:
        base.model.save_pretrained(folder)
        base.tokenizer.save_pretrained(folder)
        write_texts(folder / "held_back.jsonl", watched)
        write_json(
            folder / "training.json",
            {
                "corpus_sha256": corpus["sha256"],
                "base": recipe.base,
                "base_sha256": identity["base"],
                "parameters": base.model.num_parameters(),
                "tokens": sum(len(tweet) - 1 for block in planned[: tuner.state.global_step * recipe.batch] for tweet in block),
                "steps": tuner.state.global_step,
                "seconds": round(watcher.seconds, 1),
                "packed": packed,
                "held_back_tweets": len(watched),
                "held_back_cut": sum(len(tweet) == recipe.block and tweet[-1] != base.end for tweet in watched_tweets),
                "held_back_loss": best_loss,
                # Comparable between tokenizers; the end token is counted, the start is given.
                "held_back_bits_per_byte": nats / math.log(2) / sum(len(text.encode()) for text in watched),
                "history": [entry for entry in tuner.state.log_history if "eval_loss" in entry],
                "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )
    shutil.rmtree(checkpoints)
    tqdm.write(f"fine-tuned: {out / 'tuned'}, {best_loss:.4f} nats a token on what was held back")


def arguments(recipe: Recipe, steps: int, at_once: int, processes: int, *, on_gpu: bool) -> TrainingArguments:
    """Say in the Trainer's words what the recipe says in ours."""
    check_every = max(1, steps // (recipe.epochs * recipe.checks))
    return TrainingArguments(
        output_dir=str(Path(recipe.out) / "checkpoints"),
        seed=recipe.seed,
        num_train_epochs=1,  # the plan holds every block of every epoch
        train_sampling_strategy="sequential",
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=recipe.batch // (at_once * processes),
        learning_rate=recipe.rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": recipe.floor},
        warmup_steps=max(1, round(recipe.warmup * steps)),
        weight_decay=recipe.weight_decay,
        adam_beta2=0.95,
        max_grad_norm=recipe.clip,
        bf16=recipe.precision == "bfloat16",
        fp16=recipe.precision == "float16",
        torch_compile=recipe.compile,
        use_cpu=not on_gpu,
        ddp_backend=None if on_gpu or processes == 1 else "gloo",
        eval_strategy="steps",
        eval_steps=check_every,
        save_strategy="steps",
        save_steps=check_every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=max(1, steps // CURVE),
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
        remove_unused_columns=False,
        dataloader_pin_memory=on_gpu,
        label_names=["labels"],
    )


def last_checkpoint(folder: Path) -> Path | None:
    """Find the newest whole checkpoint, and remove what a killed run left half-written."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    for path in found:
        if not (path / "trainer_state.json").exists():  # the Trainer writes it last
            shutil.rmtree(path)
    return next((path for path in reversed(found) if path.exists()), None)


if __name__ == "__main__":
    run_step(finetune)
