"""A recipe: every knob of a model's training, with its default."""

import tomllib
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path


class StepError(Exception):
    """What a person who runs a step must know, in one line."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    # what and where; folders are relative to the working folder
    name: str  # of the model, as players see it
    version: int = 1
    category: str  # its slug
    base: str  # folder of a causal language model in transformers format, with tokenizer.json
    base_name: str  # what the model card calls it
    corpus: str  # folder written by `manage.py export_corpus`
    out: str  # gets checkpoint.pt, tuned/, model/, samples.jsonl, scores.json
    note: str = ""  # what else a reader of the model card should know
    seed: int = 2016

    # fine-tuning
    device: str = "cpu"  # or cuda, cuda:1
    precision: str = "bfloat16"  # of autocast; float32 turns autocast off
    epochs: int = 3
    batch: int = 16  # blocks in a batch
    block: int = 128  # tokens in a block; several whole tweets are packed into each
    rate: float = 3e-4  # peak learning rate
    warmup: float = 0.05  # share of the steps that the rate takes to reach its peak
    floor: float = 0.05  # share of the peak where the cosine ends
    weight_decay: float = 0.1
    clip: float = 1.0  # gradient norm
    dropout: float = 0.0
    held_back: float = 0.05  # share of the train split that watches for overfitting
    checks: int = 2  # an epoch; each measures the loss on what is held back, and checkpoints
    patience: int = 3  # checks without improvement before training stops

    # export
    quantization: str = "int8"

    # sampling, also the default of the shipped model
    topk: int = 200
    topp: float = 0.95
    temperature: float = 1.0
    max_tokens: int = 120

    # evaluation
    samples: int = 1000

    @property
    def sampling(self) -> dict[str, int | float]:
        return {"topk": self.topk, "topp": self.topp, "temperature": self.temperature, "max_tokens": self.max_tokens}


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; StepError names the key that is unknown, missing or of another type."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StepError(f"{path}: {error}") from error
    types = {field.name: field.type for field in fields(Recipe)}
    for key, value in values.items():
        if key not in types:
            raise StepError(f"{path}: unknown key {key!r}; known are {', '.join(types)}")
        if types[key] is float and type(value) is int:
            values[key] = float(value)
        elif type(value) is not types[key]:
            raise StepError(f"{path}: {key} must be of type {getattr(types[key], '__name__', types[key])}, not {value!r}")
    try:
        return Recipe(**values)
    except TypeError as error:
        missing = [field.name for field in fields(Recipe) if field.default is MISSING and field.name not in values]
        raise StepError(f"{path}: missing key {', '.join(missing)}") from error


def knobs(recipe: Recipe) -> dict[str, str | int | float]:
    """Give what decides the weights and the samples, and leaves out where the files lie."""
    places = ("name", "version", "category", "base", "base_name", "corpus", "out", "note", "device")
    return {key: value for key, value in asdict(recipe).items() if key not in places}
