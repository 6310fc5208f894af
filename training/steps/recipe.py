"""A recipe: every knob of a model's training, with its default."""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

PRECISIONS = ("bfloat16", "float16", "float32")
OPTIMIZERS = ("adamw", "muon")
DEVICES = ("auto", "cpu", "cuda")


class StepError(Exception):
    """What a person who runs a step must know, in one line."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    # what and where; folders are relative to the working folder
    name: str  # of the model, as players see it
    version: int = 1
    category: str  # its slug
    base: str = "starter"  # or a folder in transformers format, or the name of a causal language model on the hub
    base_name: str = ""  # what the model card calls it; else `base` itself
    corpus: str  # folder written by `manage.py export_corpus`
    out: str  # gets progress.jsonl, checkpoints/, tuned/, model/, samples.jsonl, scores.json
    note: str = ""  # what else a reader of the model card should know
    seed: int = 2016

    # a base from scratch (the step scratch alone reads these): a GPT-2 of `block` positions
    vocabulary: int = 8192  # tokens of its byte-level BPE
    layers: int = 6
    width: int = 384
    heads: int = 6

    # fine-tuning
    device: str = "auto"  # cpu, cuda, or auto: cuda where there is one; CUDA_VISIBLE_DEVICES says which
    precision: str = "bfloat16"  # of autocast: bfloat16, float16 (cuda alone), or float32 for none
    compile: bool = False  # by torch.compile: needs a C++ compiler on CPU, and a minute; worth it for long runs
    optimizer: str = "adamw"  # or muon: for hidden matrices, with adamw for the rest
    epochs: int = 3
    batch: int = 16  # blocks in an optimiser step, on all devices together
    at_once: int = 0  # blocks that one device takes at a time, the rest by accumulating gradients; 0: as many as there are
    block: int = 128  # tokens in a block; several whole tweets are packed into each
    rate: float = 3e-4  # peak learning rate
    matrix_rate: float = 4e-3  # the same of the matrices that muon trains, on the scale of Adam's (Moonlight's)
    warmup: float = 0.05  # share of the steps that the rate takes to reach its peak
    floor: float = 0.05  # share of the peak where the cosine ends
    weight_decay: float = 0.1
    clip: float = 1.0  # gradient norm
    dropout: float = 0.0
    held_back: float = 0.05  # share of the train split that watches for overfitting
    checks: int = 2  # an epoch; each measures the loss on what is held back, writes samples, and checkpoints
    patience: int = 3  # checks without improvement before training stops

    # export
    quantization: str = "int8"

    # sampling, also the default of the shipped model
    topk: int = 200
    topp: float = 0.95
    temperature: float = 1.0
    max_tokens: int = 120

    # selection: of so many texts that pass the filters the judge chooses one
    candidates: int = 6
    sharpness: float = 2.0  # how much the judge's odds decide: 0 not at all; above 1 makes up for few candidates
    judge_samples: int = 12_000  # that the judge learns from, before the filters; 0: no judge, only lengths are chosen
    judge_trust: float = 30.0  # in n-grams seen few times: the inverse of the penalty (C of scikit-learn)

    # evaluation
    samples: int = 1000  # texts of each kind: raw, and as served

    @property
    def sampling(self) -> dict[str, int | float]:
        return {key: getattr(self, key) for key in ("topk", "topp", "temperature", "max_tokens", "candidates", "sharpness")}


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; StepError names the key that is unknown, missing or of another type."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StepError(f"{path}: {error}") from error
    return make_recipe(values, str(path))


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write a whole recipe as TOML; its strings, numbers, true and false are spelled as in JSON."""
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in asdict(recipe).items())
    path.write_text("".join(lines), encoding="utf-8")


def make_recipe(values: Mapping[str, Any], where: str) -> Recipe:
    """Make a recipe of what stands in `where`; StepError names the key that is unknown, missing, of another type or out of bounds."""
    given = dict(values)
    types = {field.name: field.type for field in fields(Recipe)}
    for key, value in given.items():
        if key not in types:
            raise StepError(f"{where}: unknown key {key!r}; known are {', '.join(types)}")
        if types[key] is float and type(value) is int:
            given[key] = float(value)
        elif type(value) is not types[key]:
            raise StepError(f"{where}: {key} must be of type {getattr(types[key], '__name__', types[key])}, not {value!r}")
    if missing := [field.name for field in fields(Recipe) if field.default is MISSING and field.name not in given]:
        raise StepError(f"{where}: missing key {', '.join(missing)}")
    recipe = Recipe(**given)
    for key, (allowed, words) in _LIMITS.items():
        if not allowed(value := getattr(recipe, key)):
            raise StepError(f"{where}: {key} must be {words}, not {value!r}")
    return recipe


_COUNT = (lambda value: value >= 1, "1 or more")
_NOT_NEGATIVE = (lambda value: value >= 0, "0 or more")
_POSITIVE = (lambda value: value > 0, "more than 0")
_SHARE = (lambda value: 0 <= value < 1, "from 0 to less than 1")
_LIMITS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "precision": (lambda value: value in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
    "optimizer": (lambda value: value in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}"),
    "device": (lambda value: value in DEVICES, f"one of {', '.join(DEVICES)}"),
    **dict.fromkeys(("version", "layers", "width", "heads", "epochs", "batch", "checks", "patience", "max_tokens", "candidates"), _COUNT),
    "block": (lambda value: value >= 8, "8 or more"),
    **dict.fromkeys(("at_once", "topk", "rate", "matrix_rate", "weight_decay", "judge_samples", "sharpness"), _NOT_NEGATIVE),
    **dict.fromkeys(("clip", "temperature", "judge_trust"), _POSITIVE),
    **dict.fromkeys(("warmup", "floor", "dropout"), _SHARE),
    "held_back": (lambda value: 0 < value < 1, "between 0 and 1"),
    "topp": (lambda value: 0 < value <= 1, "more than 0 and up to 1"),
    "samples": (lambda value: value >= 10, "10 or more"),
}


def knobs(recipe: Recipe) -> dict[str, str | int | float]:
    """Give what decides the weights and the samples, and leaves out where the files lie."""
    places = {"name", "version", "category", "base", "base_name", "corpus", "out", "note", "device", "at_once", "compile"}
    places |= {"vocabulary", "layers", "width", "heads"}  # the base has them
    return {key: value for key, value in asdict(recipe).items() if key not in places}
