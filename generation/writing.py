"""How texts for the pool come about: samples are drawn, screened, judged and chosen.

The game's batches and the figures on a model's card come by this one way.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from game.pool.services import Near
from generation import rules
from generation.backends.base import Backend, Sample, Sampling
from generation.loading import Writer
from generation.rules import Drop
from generation.screening import Fallen, Screening

# Samples that are drawn between two renewals of the lease.
CHUNK = 256
# Texts that pass the screen before some are chosen among them: so many for each one wanted, unless the card says
# otherwise, and some more for a small batch.
CANDIDATES = 2
SPARE = 20
# By which the judge's log ratios are multiplied, unless the card says otherwise.
SHARPNESS = 1.0
# Writing stops short of that rather than draw more samples for each text that should pass.
MAX_SAMPLES_PER_TEXT = 6


@dataclass(slots=True)
class Harvest:
    """What became of the samples that were drawn: texts that passed the screen, those chosen of them, and why the others were dropped."""

    made: int = 0
    passed: list[str] = field(default_factory=list)
    log_ratios: list[float] = field(default_factory=list)
    chosen: list[str] = field(default_factory=list)
    dropped: Counter[Drop] = field(default_factory=Counter)
    # A few of those, to look at.
    fallen: list[Fallen] = field(default_factory=list)


def write(
    *,
    writer: Writer,
    settings: Mapping[str, Any],
    language: str,
    wanted: int,
    rng: Random,
    known: Callable[[Iterable[bytes]], set[bytes]],
    near: Callable[[Sequence[str]], Sequence[Near | None]] | None = None,
    after_chunk: Callable[[float], None] = lambda _share: None,
) -> Harvest:
    """Write `wanted` texts, or fewer if the model can't.

    `settings` are a model card's `sampling`; `known` and `near` ask the pool, see Screening; `after_chunk` is told the share of the
    work that is done. Raises BackendError.
    """
    sampling, screening = Sampling.of(settings), Screening(language, writer.knowledge, known, near)
    harvest = Harvest(dropped=screening.dropped, fallen=screening.fallen)
    enough = wanted * int(settings.get("candidates", CANDIDATES)) + SPARE
    while len(harvest.passed) < enough and harvest.made < enough * MAX_SAMPLES_PER_TEXT:
        share = (len(harvest.passed) + 1) / (harvest.made + 2)
        count = min(CHUNK, math.ceil((enough - len(harvest.passed)) / share))
        samples = writer.backend.generate(count=count, sampling=sampling)
        harvest.made += len(samples)
        passed = screening.screen(samples)
        harvest.passed += passed
        if writer.judge:
            harvest.log_ratios += writer.judge.log_ratios(passed, _likelihoods(passed, samples, writer.backend, sampling.max_tokens))
        after_chunk(min(len(harvest.passed) / enough, 1.0))
    sharpness = float(settings.get("sharpness", SHARPNESS))
    log_ratios = [sharpness * ratio for ratio in harvest.log_ratios] or [0.0] * len(harvest.passed)
    left = dict(zip(harvest.passed, log_ratios, strict=True))
    # Near-copies are looked for among those that are wanted: of ten that pass nine are not.
    while left and len(harvest.chosen) < wanted:
        picked = rules.choose(list(left), writer.knowledge.lengths, wanted - len(harvest.chosen), rng, list(left.values()))
        harvest.chosen += screening.keep_unlike(picked)
        for text in picked:
            del left[text]
    for text in left:
        screening.drop(Drop.UNLIKE if writer.judge else Drop.LENGTH, text)
    return harvest


def _likelihoods(texts: Sequence[str], samples: Iterable[Sample], backend: Backend, max_tokens: int) -> list[float]:
    """Ask the model for the likelihoods that writing the samples has not told, or of another text than the one that is kept."""
    told = {sample.text: sample.likelihood for sample in samples if sample.likelihood is not None}
    unknown = [text for text in texts if text not in told]
    asked = backend.likelihoods(unknown, max_tokens=max_tokens) if unknown else []
    told |= zip(unknown, asked, strict=True)
    return [told[text] for text in texts]
