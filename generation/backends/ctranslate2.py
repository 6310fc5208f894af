"""Exported models run by CTranslate2, on CPU or GPU, without torch."""

import ctypes
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from generation.backends.base import BackendError, Sample, Sampling, UnusableModelError

if TYPE_CHECKING:
    from tokenizers import Encoding

# Samples that the library decodes side by side. A CPU's caches hold what 32 need: with 128 it writes a quarter fewer tokens/s.
CPU_BATCH, GPU_BATCH = 32, 256
# The same for texts that are scored, whose every token has a row of the whole vocabulary in memory.
CPU_SCORED, GPU_SCORED = 8, 64
# Of malloc.h.
_M_ARENA_MAX = -8
# Two threads that decode a batch each write more tokens/s than one batch on two threads.
CPU_DECODERS = 2


class CTranslate2Backend:
    """A model folder loaded by CTranslate2.

    It computes in what it was exported in (a recipe's `quantization`), or in the nearest that the device can do; or in `compute_type`.
    """

    def __init__(self, folder: Path, device: str, compute_type: str = "default") -> None:
        # Not at module top: the web process must never load it, and a worker only after the fork.
        _allow_avx512()
        _share_one_heap()
        import ctranslate2
        from tokenizers import Tokenizer

        if device == "auto":
            device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        self.device, on_cpu = device, device == "cpu"
        kind, _, number = device.partition(":")
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            tokenizer = json.dumps(json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")))
            self.start, self.end = config["bos_token"], config["eos_token"]
            # The library's random generators are seeded once per thread, and all alike if a seed is set:
            # its threads would write the same tweets. So no seed is set.
            threads = {"inter_threads": CPU_DECODERS, "intra_threads": 1} if on_cpu else {}
            place = {"device": kind, "device_index": int(number or 0)}
            self.generator = ctranslate2.Generator(str(folder), **place, compute_type=compute_type, **threads)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise UnusableModelError(f"{folder} holds no model that can be loaded on {device}: {error}") from error
        self.decoders, self.batch, self.scored = (CPU_DECODERS, CPU_BATCH, CPU_SCORED) if on_cpu else (1, GPU_BATCH, GPU_SCORED)
        try:
            self.tokenizer = Tokenizer.from_str(tokenizer)
            self.end_id = self.tokenizer.token_to_id(self.end)
        except Exception as error:  # the library raises nothing narrower
            raise UnusableModelError(f"{folder / 'tokenizer.json'} holds no tokenizer ({error}): export the model again.") from error
        if self.end_id is None:
            raise UnusableModelError(f"{folder / 'tokenizer.json'} lacks the token {self.end!r} that ends a text: export the model again.")
        self.tokenizer.encode_special_tokens = True  # a text that spells a special token stays text

    def generate(self, *, count: int, sampling: Sampling, prompt: str = "") -> list[Sample]:
        """Write `count` texts that begin with `prompt`, which they hold; raises BackendError."""
        begun = self.tokenizer.encode(prompt, add_special_tokens=False)
        room = sampling.max_tokens - len(begun.ids)
        if room < 1:
            return [Sample(prompt, False)] * count
        try:
            results = self.generator.generate_batch(
                [[self.start, *begun.tokens]] * count,
                max_batch_size=min(self.batch, -(-count // self.decoders)),
                max_length=room,
                include_prompt_in_result=False,
                return_end_token=True,
                return_scores=True,
                sampling_topk=sampling.topk,
                sampling_topp=sampling.topp,
                sampling_temperature=sampling.temperature,
            )
        except RuntimeError as error:
            raise BackendError(str(error)) from error
        ids = [[*begun.ids, *result.sequences_ids[0]] for result in results]
        texts = self.tokenizer.decode_batch(ids)
        # Scores are of the model's own distribution, before any truncation; but what follows a prompt is not the whole text,
        # and a text may be spelled in other tokens than those it was written in.
        spelled = [[] if prompt else [*encoding.ids, self.end_id] for encoding in self._encode(texts)]
        return [
            Sample(text, written[-1] == self.end_id, result.scores[0] if written == canonical else None)
            for text, written, canonical, result in zip(texts, ids, spelled, results, strict=True)
        ]

    def likelihoods(self, texts: Sequence[str], *, max_tokens: int) -> list[float]:
        """Return the mean log-probability of each text's tokens and its end, in nats; raises BackendError.

        Of a longer text the first `max_tokens` count.
        """
        tokens = [[self.start, *encoding.tokens, self.end][: max_tokens + 1] for encoding in self._encode(texts)]
        try:
            results = self.generator.score_batch(tokens, max_batch_size=self.scored)
        except RuntimeError as error:
            raise BackendError(str(error)) from error
        return [math.fsum(result.log_probs) / len(result.log_probs) for result in results]

    def _encode(self, texts: Sequence[str]) -> "list[Encoding]":
        return self.tokenizer.encode_batch(list(texts), add_special_tokens=False)


def _allow_avx512() -> None:
    """Let the library use AVX-512 where that pays: a tenth to a fifth more tokens/s.

    It does not by itself, for the sake of CPUs that clock down for it; those with VNNI, from 2019 on, hardly do.
    """
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # no Linux
        return
    if "avx512_vnni" in flags:
        os.environ.setdefault("CT2_FORCE_CPU_ISA", "AVX512")


def _share_one_heap() -> None:
    """Let all threads take memory from one heap: with one each, what one has freed no other can use, a worker grows by a third."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:  # of glibc
        mallopt(_M_ARENA_MAX, 1)


def check_export(folder: Path) -> None:
    """Name what a folder lacks; raises UnusableModelError."""
    for name in ("model.bin", "config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise UnusableModelError(f"{folder / name} is missing: export the model again.")
