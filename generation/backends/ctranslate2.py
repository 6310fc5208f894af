"""Exported models run by CTranslate2, on CPU or GPU, without torch."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from generation.backends.base import BackendError, Sample, Sampling, UnusableModelError

# Samples that the library decodes side by side; beyond it tokens/s no longer grow on a CPU.
BATCH = 128
# Two threads that decode a batch each write more tokens/s than one batch on two threads.
CPU_DECODERS = 2


class CTranslate2Backend:
    """A model folder loaded by CTranslate2."""

    def __init__(self, folder: Path, device: str) -> None:
        # Not at module top: the web process must never load it, and a worker only after the fork.
        import ctranslate2
        from tokenizers import Tokenizer

        if device == "auto":
            device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        on_cpu = device == "cpu"
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            tokenizer = json.dumps(json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")))
            self.start, self.end = config["bos_token"], config["eos_token"]
            # The library's random generators are seeded once per thread, and all alike if a seed is set:
            # its threads would write the same tweets. So no seed is set.
            threads = {"compute_type": "int8", "inter_threads": CPU_DECODERS, "intra_threads": 1} if on_cpu else {}
            self.generator = ctranslate2.Generator(str(folder), device=device, **threads)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise UnusableModelError(f"{folder} holds no model that can be loaded on {device}: {error}") from error
        self.decoders = CPU_DECODERS if on_cpu else 1
        self.tokenizer = Tokenizer.from_str(tokenizer)
        self.tokenizer.encode_special_tokens = True  # a text that spells a special token stays text
        self.end_id = self.tokenizer.token_to_id(self.end)

    def generate(self, *, count: int, sampling: Sampling, prompt: str = "") -> list[Sample]:
        """Write `count` texts that begin with `prompt`, which they hold; raises BackendError."""
        begun = self.tokenizer.encode(prompt, add_special_tokens=False)
        try:
            results = self.generator.generate_batch(
                [[self.start, *begun.tokens]] * count,
                max_batch_size=min(BATCH, -(-count // self.decoders)),
                max_length=max(sampling.max_tokens - len(begun.ids), 1),
                include_prompt_in_result=False,
                return_end_token=True,
                sampling_topk=sampling.topk,
                sampling_topp=sampling.topp,
                sampling_temperature=sampling.temperature,
            )
        except RuntimeError as error:
            raise BackendError(str(error)) from error
        ids = [result.sequences_ids[0] for result in results]
        finished = [bool(each) and each[-1] == self.end_id for each in ids]
        texts = self.tokenizer.decode_batch([[*begun.ids, *each] for each in ids])
        return [Sample(text, whole) for text, whole in zip(texts, finished, strict=True)]

    def likelihoods(self, texts: Sequence[str], *, max_tokens: int) -> list[float]:
        """Return the mean log-probability of each text's tokens and its end, in nats; raises BackendError.

        Of a longer text the first `max_tokens` count.
        """
        tokens = [
            [self.start, *encoding.tokens, self.end] for encoding in self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        ]
        try:
            results = self.generator.score_batch(tokens, max_batch_size=BATCH, max_input_length=max_tokens + 1)
        except RuntimeError as error:
            raise BackendError(str(error)) from error
        return [math.fsum(result.log_probs) / len(result.log_probs) for result in results]
