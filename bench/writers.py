"""`python -m bench.writers SIDE FOLDER`: one way to write tweets, which writes some for each line on standard input.

Processes of their own, so that none loads what another needs; each tells as JSON what it did and how long that took.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CATEGORY = "donald-trump"
# As many as a batch of the game asks for.
TWEETS = 100
# Samples of the seeds' way, one call each; and of the other, in batches.
CALLS = 24
BATCHES, BATCH = 3, 32

Side = Callable[[], dict[str, float]]


def main() -> None:
    """Measure the side that is named, again and again."""
    side = {"ours": whole_path, "pipeline": pipeline, "batched": batched}[sys.argv[1]](Path(sys.argv[2]))
    for _ in sys.stdin:
        print(json.dumps(side()), flush=True)


def whole_path(_: Path) -> Side:
    """Return what runs a batch as the worker does: sampled, filtered, judged, chosen and stored, in a pool that is in use."""
    import django

    django.setup()
    from django.utils import timezone

    from generation.batches import create_batch, run_batch
    from generation.loading import load_writer
    from generation.models import ModelVersion

    model = ModelVersion.objects.get(category__slug=CATEGORY, state=ModelVersion.State.ACTIVE)
    backend: Any = load_writer(model).backend
    backend.generator = timer = _Timer(backend.generator)

    def run() -> dict[str, float]:
        timer.seconds = 0.0
        batch = create_batch(model_version=model, wanted=TWEETS)
        start = time.perf_counter()
        done = run_batch(batch_id=batch.pk, now=timezone.now())
        seconds = time.perf_counter() - start
        if done is None or done.kept != TWEETS:
            raise SystemExit(f"A batch came to {done and done.kept} tweets: {done and done.error}")
        return {"seconds": seconds, "samples": done.made, "tweets": done.kept, "in the model": timer.seconds}

    return run


class _Timer:
    """A CTranslate2 generator whose work is timed; what goes into it and comes out of it is not its work."""

    def __init__(self, generator: Any) -> None:
        self.generator, self.seconds = generator, 0.0

    def generate_batch(self, *arguments: Any, **options: Any) -> Any:
        with self._timed():
            return self.generator.generate_batch(*arguments, **options)

    def score_batch(self, *arguments: Any, **options: Any) -> Any:
        with self._timed():
            return self.generator.score_batch(*arguments, **options)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - start


def pipeline(folder: Path) -> Side:
    """Return what writes samples in the way of the first Twitter Turing Tests: a transformers pipeline, a call for each."""
    import transformers

    sampling, start = _settings(folder), _start(folder)
    pipe = transformers.pipeline("text-generation", model=str(folder))

    def run() -> list[str]:
        return [pipe(start, return_full_text=False, **sampling)[0]["generated_text"] for _ in range(CALLS)]

    return _at_its_best(run)


def batched(folder: Path) -> Side:
    """Return what writes samples by transformers' `generate`, many side by side."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    sampling = _settings(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = torch.tensor([tokenizer.encode(_start(folder))] * BATCH)

    @torch.inference_mode()
    def run() -> list[str]:
        told = torch.ones_like(ids)
        written = [model.generate(ids, attention_mask=told, **sampling) for _ in range(BATCHES)]
        return [text for rows in written for text in tokenizer.batch_decode(rows, skip_special_tokens=True)]

    return _at_its_best(run)


def _at_its_best(run: Callable[[], list[str]]) -> Side:
    """Time `run` with as many of torch's threads as suit it: for one sample at a time, one is often the fastest."""
    import torch

    def timed() -> dict[str, float]:
        begun = time.perf_counter()
        texts = run()
        return {"seconds": time.perf_counter() - begun, "samples": len(texts)}

    run()
    took = {}
    for threads in sorted({1, torch.get_num_threads()}):
        torch.set_num_threads(threads)
        took[threads] = timed()["seconds"]
    torch.set_num_threads(min(took, key=lambda threads: took[threads]))
    return timed


def _settings(folder: Path) -> dict[str, Any]:
    """Return the card's sampling as transformers calls it."""
    import transformers

    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))["sampling"]
    end = json.loads((folder / "config.json").read_text(encoding="utf-8"))["eos_token_id"]
    sampling = {"top_k": card["topk"], "top_p": card["topp"], "temperature": card["temperature"]}
    return {"do_sample": True, "max_new_tokens": card["max_tokens"], "pad_token_id": end, **sampling}


def _start(folder: Path) -> str:
    return str(json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["bos_token"])


if __name__ == "__main__":
    main()
