"""Checkpoints run by torch: unexported ones, architectures that CTranslate2 does not know, adapters where `peft` is installed."""

import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from generation.backends.base import BackendError, Sample, Sampling, UnusableModelError

# Texts that are written or scored side by side.
BATCH = 32


class TransformersBackend:
    """A folder in transformers format, in float32 on a CPU and in half precision on a GPU."""

    def __init__(self, folder: Path, device: str) -> None:
        # Not at module top: the web process must never load it, and a worker only after the fork.
        try:
            import torch
            import transformers
        except ImportError as error:
            raise UnusableModelError(f"{folder} needs torch, which is not installed: sh requirements/install.sh train.") from error
        from safetensors import SafetensorError

        check_checkpoint(folder)
        transformers.logging.disable_progress_bar()
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self.device = torch.device(device)
            dtype = torch.float32
            if self.device.type == "cuda":
                dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, use_fast=True)
            # Of safetensors alone: other formats can run code.
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True, use_safetensors=True)
            self.model = model.to(self.device).eval()
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, AssertionError, SafetensorError) as error:
            what = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UnusableModelError(f"{folder} holds no model that can be loaded on {device}: {what}") from error
        end = _first(tokenizer.eos_token_id, self.model.config.eos_token_id)
        start = _first(tokenizer.bos_token_id, self.model.config.bos_token_id, end)
        if start is None or end is None:
            raise UnusableModelError(f"{folder} names no token that ends a text (eos_token).")
        self.start, self.end = start, end
        self.tokenizer = tokenizer.backend_tokenizer
        self.tokenizer.encode_special_tokens = True  # a text that spells a special token stays text
        # Of a text's tokens, the start apart, which needs a position as the end needs none.
        self.most: int = getattr(self.model.config, "max_position_embeddings", None) or sys.maxsize

    def generate(self, *, count: int, sampling: Sampling, prompt: str = "") -> list[Sample]:
        """Write `count` texts that begin with `prompt`, which they hold; raises BackendError."""
        import torch

        begun = self._encode([prompt])[0]
        room = min(sampling.max_tokens, self.most) - len(begun)
        if room < 1:
            return [Sample(prompt, False)] * count
        rows: list[list[int]] = []
        try:
            for size in (min(BATCH, count - at) for at in range(0, count, BATCH)):
                ids = torch.tensor([[self.start, *begun]] * size, device=self.device)
                with torch.inference_mode():
                    written = self.model.generate(
                        input_ids=ids,
                        attention_mask=torch.ones_like(ids),
                        do_sample=True,
                        top_k=sampling.topk,
                        top_p=sampling.topp,
                        temperature=sampling.temperature,
                        max_new_tokens=room,
                        bos_token_id=self.start,
                        eos_token_id=self.end,
                        pad_token_id=self.end,
                    )
                rows += written[:, ids.shape[1] :].tolist()
        except RuntimeError as error:
            raise BackendError(str(error)) from error
        finished = [self.end in row for row in rows]
        texts = self.tokenizer.decode_batch(
            [[*begun, *(row[: row.index(self.end)] if whole else row)] for row, whole in zip(rows, finished, strict=True)]
        )
        return [Sample(text, whole) for text, whole in zip(texts, finished, strict=True)]

    def likelihoods(self, texts: Sequence[str], *, max_tokens: int) -> list[float]:
        """Return the mean log-probability of each text's tokens and its end, in nats; raises BackendError.

        Of a longer text the first `max_tokens` count.
        """
        rows = [[self.start, *ids, self.end][: min(max_tokens, self.most) + 1] for ids in self._encode(texts)]
        try:
            # The longest ones together: what is filled up to their length is computed too.
            order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
            means = [mean for part in _parts(order) for mean in self._score([rows[at] for at in part])]
        except RuntimeError as error:
            raise BackendError(str(error)) from error
        return [mean for _, mean in sorted(zip(order, means, strict=True))]

    def _score(self, rows: Sequence[Sequence[int]]) -> list[float]:
        import torch

        longest = max(map(len, rows))
        ids = torch.tensor([[*row, *[self.end] * (longest - len(row))] for row in rows], device=self.device)
        told = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=self.device)
        with torch.inference_mode():
            logits = self.model(input_ids=ids[:, :-1], attention_mask=told[:, :-1]).logits.float()
            chosen = torch.log_softmax(logits, dim=-1).gather(2, ids[:, 1:, None])[:, :, 0]
            means = (chosen * told[:, 1:]).sum(dim=1) / told[:, 1:].sum(dim=1)
        return [float(each) for each in means.tolist()]

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def check_checkpoint(folder: Path) -> None:
    """Name what a folder lacks; raises UnusableModelError."""
    if (folder / "adapter_config.json").is_file():
        if find_spec("peft") is None:
            raise UnusableModelError(
                f"{folder} is an adapter, for which peft is not installed: install it, or merge the adapter into its base."
            )
    elif not (folder / "config.json").is_file():
        raise UnusableModelError(f"{folder / 'config.json'} is missing: it must be a folder in transformers format.")
    if not (folder / "tokenizer.json").is_file():
        raise UnusableModelError(f"{folder / 'tokenizer.json'} is missing: save the model's tokenizer beside it.")
    if not any(folder.glob("*.safetensors")):
        raise UnusableModelError(f"{folder / 'model.safetensors'} is missing: save the model with safe_serialization.")


def _parts(order: Sequence[int]) -> Iterator[Sequence[int]]:
    return (order[at : at + BATCH] for at in range(0, len(order), BATCH))


def _first(*values: int | list[int] | None) -> int | None:
    return next((value[0] if isinstance(value, list) else value for value in values if value is not None), None)
