"""What a model writes, raw and as the game would serve it, and how that compares with people: the stages between export and card.

Each reads files and writes one, whole, by the code that writes for the game.
"""

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from statistics import fmean, pstdev
from typing import Any

from game.pool.rules import fingerprint, normalise
from generation.backends.base import Sample, Sampling
from generation.folders import read_knowledge
from generation.judge import features
from generation.loading import Writer, read_writer
from generation.rules import RUN_BYTES, HashedSet, Knowledge, is_copied, made_up_words, run_hashes
from generation.screening import Screening
from generation.writing import CHUNK, write
from training.steps.files import read_json, read_texts, written_aside
from training.steps.recipe import Recipe, StepError

# The figures are of batches of the size that the game asks for.
BATCH = 100
# Of that many samples at least one must have ended, and of that many wanted texts at least one been served.
HOPELESS = 10
# So few served texts say nothing.
FEWEST = 25
# So many tweets show how their likelihoods are spread; fewer show where they lie.
SPREAD = 30
# Where people write much more of a length than the model, a text counts for at most so many.
MOST_WEIGHT = 8.0

Report = Callable[[float], None]


def silent(_share: float) -> None:
    pass


def draw_samples(*, recipe: Recipe, report: Report = silent) -> None:
    """Write samples.jsonl: what the model says before any filter, for its figures and for the judge to learn from.

    `report` is told the share that is done, every few seconds. Raises StepError, UnusableModelError, BackendError.
    """
    writer, sampling = _load(recipe), Sampling.of(recipe.sampling)
    wanted = max(recipe.samples, recipe.judge_samples)
    texts: list[str] = []
    likelihoods: list[float] = []
    begun = 0
    while len(texts) < wanted and begun < max(HOPELESS * wanted, CHUNK):
        samples = writer.backend.generate(count=CHUNK, sampling=sampling)
        begun += len(samples)
        ended = [text for text in (normalise(sample.text) for sample in samples if sample.finished) if text]
        texts += ended
        likelihoods += writer.backend.likelihoods(ended, max_tokens=sampling.max_tokens)
        report(min(len(texts) / wanted, 1.0))
    if len(texts) < wanted:
        raise StepError(f"only {len(texts)} of {begun} samples came to an end within {recipe.max_tokens} tokens")
    _write_texts(Path(recipe.out) / "samples.jsonl", texts[:wanted], likelihoods[:wanted])


def write_features(*, recipe: Recipe) -> None:
    """Write features.npz: what the judge may see of tweets of the train split and of samples that pass the screen.

    Held-out tweets are only ever used to measure. `weights` let the samples count as if they were as long as people's tweets,
    for lengths are chosen before the judge is asked. Raises StepError, UnusableModelError, BackendError.
    """
    import numpy

    writer, corpus, out = _load(recipe), Path(recipe.corpus), Path(recipe.out)
    human = read_texts(corpus / "train.jsonl")
    lines = _read_lines(out / "samples.jsonl")
    likelihood_of = {line["text"]: line["log_probability"] for line in lines}
    screening = Screening(_language(corpus), writer.knowledge, _known(corpus, "train"))
    machine = screening.screen([Sample(line["text"], True) for line in lines])
    if not machine:
        raise StepError(f"none of {len(lines)} samples passes the screen: there is nothing for a judge to learn from")
    held_back = set(read_texts(out / "tuned" / "held_back.jsonl"))
    human_likelihoods = as_unseen(writer.backend.likelihoods(human, max_tokens=recipe.max_tokens), [text in held_back for text in human])
    starts, buckets, values = array("q", [0]), array("i"), array("f")
    for text, likelihood in zip(human + machine, human_likelihoods + [likelihood_of[text] for text in machine], strict=True):
        row = features(text, likelihood)
        buckets.extend(row.keys())
        values.extend(row.values())
        starts.append(len(buckets))
    weights = [1.0] * len(human) + as_long_as_people(machine, human, writer.knowledge.lengths.bin)
    with written_aside(out / "features.npz") as aside, aside.open("wb") as file:
        numpy.savez(file, starts=starts, buckets=buckets, values=values, human=[1] * len(human) + [0] * len(machine), weights=weights)


def as_unseen(likelihoods: Sequence[float], unseen: Sequence[bool]) -> list[float]:
    """Move and stretch the likelihoods of tweets that a model learned, so that they lie as those that it did not learn.

    Else a judge would take the traces of learning by heart for a person's hand: the model never writes so likely a text.
    """
    new = [value for value, is_new in zip(likelihoods, unseen, strict=True) if is_new]
    old = [value for value, is_new in zip(likelihoods, unseen, strict=True) if not is_new]
    if not new or not old:
        return list(likelihoods)
    middle, target = fmean(old), fmean(new)
    stretch = pstdev(new) / pstdev(old) if len(new) >= SPREAD and pstdev(old) else 1.0
    return [value if is_new else target + (value - middle) * stretch for value, is_new in zip(likelihoods, unseen, strict=True)]


def as_long_as_people(machine: Sequence[str], human: Sequence[str], size: int) -> list[float]:
    """Return a weight for each machine text, so that in bins of `size` characters they weigh as much as people's do."""
    ours, theirs = (Counter(len(text) // size for text in texts) for texts in (machine, human))
    weights = [theirs[len(text) // size] / len(human) / (ours[len(text) // size] / len(machine)) for text in machine]
    return [min(weight, MOST_WEIGHT) for weight in weights]


def draw_served(*, recipe: Recipe, report: Report = silent) -> int:
    """Write served.jsonl: what the game would have put into the pool, batch by batch; return how many samples that took.

    Raises StepError, UnusableModelError, BackendError.
    """
    writer, corpus = _load(recipe), Path(recipe.corpus)
    pool = _known(corpus, "train", "heldout")
    texts: list[str] = []
    served: set[bytes] = set()
    made = 0
    while len(texts) < recipe.samples:
        wanted = min(BATCH, recipe.samples - len(texts))
        harvest = write(
            writer=writer,
            settings=recipe.sampling,
            language=_language(corpus),
            wanted=wanted,
            rng=Random(f"{recipe.seed} {made}"),
            known=lambda marks: pool(marks) | served,
            after_chunk=partial(_report_batch, report, len(texts) / recipe.samples, wanted / recipe.samples),
        )
        made += harvest.made
        texts += harvest.chosen
        served.update(map(fingerprint, harvest.chosen))
        if len(harvest.chosen) < wanted / HOPELESS:
            break
    if len(texts) < min(FEWEST, recipe.samples):
        raise StepError(f"{made} samples gave {len(texts)} texts for the pool: the model writes nothing that passes the filters")
    _write_texts(Path(recipe.out) / "served.jsonl", texts, writer.backend.likelihoods(texts, max_tokens=recipe.max_tokens))
    return made


def _report_batch(report: Report, before: float, size: float, share: float) -> None:
    report(before + size * share)


def count_words(*, recipe: Recipe) -> dict[str, dict[str, float]]:
    """Return which shares of raw, served and people's held-out texts have a made-up word, or eight words in a row from elsewhere."""
    out = Path(recipe.out)
    knowledge = read_knowledge(out / "model")
    heldout = read_texts(Path(recipe.corpus) / "heldout.jsonl")
    played = HashedSet.of((run for text in heldout for run in run_hashes(text)), RUN_BYTES)
    texts = {"raw": read_texts(out / "samples.jsonl")[: recipe.samples], "served": read_texts(out / "served.jsonl")}
    shares = {name: _word_shares(each, knowledge) for name, each in (texts | {"human": heldout}).items()}
    for name, each in texts.items():
        # What only the base can have seen.
        shares[name]["copied_heldout"] = _share(is_copied(text, played) for text in each)
    return shares


def _word_shares(texts: Sequence[str], knowledge: Knowledge) -> dict[str, float]:
    return {
        "made_up": _share(bool(made_up_words(text, knowledge.words)) for text in texts),
        "copied": _share(is_copied(text, knowledge.runs) for text in texts),
    }


def _share(found: Iterable[bool]) -> float:
    each = list(found)
    return round(sum(each) / len(each), 4)


def _load(recipe: Recipe) -> Writer:
    return read_writer(Path(recipe.out) / "model", recipe.device)


def _language(corpus: Path) -> str:
    return str(read_json(corpus / "corpus.json")["language"])


def _known(corpus: Path, *splits: str) -> Callable[[Iterable[bytes]], set[bytes]]:
    marks = {fingerprint(text) for split in splits for text in read_texts(corpus / f"{split}.jsonl")}
    return lambda others: marks.intersection(others)


def _read_lines(path: Path) -> list[Mapping[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _write_texts(path: Path, texts: Sequence[str], likelihoods: Sequence[float]) -> None:
    with written_aside(path) as aside, aside.open("w", encoding="utf-8") as file:
        for text, likelihood in zip(texts, likelihoods, strict=True):
            file.write(json.dumps({"text": text, "log_probability": round(likelihood, 4)}, ensure_ascii=False) + "\n")
