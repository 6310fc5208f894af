"""The end of a run: its model moves to where models live, is registered, and perhaps promoted."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from generation.folders import read_learned
from generation.models import ModelVersion
from generation.rules import RUN_BYTES, HashedSet
from generation.versions import PromotionError, promote_model, register_model, stale_models
from training import rules
from training.models import TrainingRun
from training.services import RunClaim, folder_of_base
from training.steps.recipe import Recipe

# What is over with the run: the texts of tweets, which may be withdrawn, and what only a resumed run needs.
PASSING = ("corpus", "checkpoints", "features.npz", "tuned/held_back.jsonl")


def register(claim: RunClaim, recipe: Recipe, *, rewrite: Callable[[Recipe], None]) -> None:
    """Register the model of a run that went through all stages, and end the run; raises LostRunError, UnusableModelError, OSError.

    `rewrite` gives the model another version where its own was taken by another run.
    """
    out = claim.run.path
    folder = _move(out, recipe, rewrite)
    base = folder_of_base(recipe.base)
    with transaction.atomic():
        model = register_model(category=claim.run.category, folder=folder, base=base)
        note = _promote(claim.run, model) if claim.run.promote else ""
        claim.finish(TrainingRun.State.DONE, model_version=model, error="", note=f"{claim.run.note}\n{note}".strip())
    _pass_on_what_was_learned(folder, base, out / "tuned")
    for path in (out / name for name in PASSING):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def is_moved(out: Path) -> bool:
    """Say whether the run's model has left its folder, which a killed worker may not have lived to write down."""
    return (out / "moved-to").exists() and not (out / "model").exists()


def _move(out: Path, recipe: Recipe, rewrite: Callable[[Recipe], None]) -> Path:
    note = out / "moved-to"
    if not is_moved(out):
        while (target := folder_of(recipe.name, recipe.version)).exists() or _is_taken(recipe):
            recipe = replace(recipe, version=next_version(recipe.name))
            rewrite(recipe)
        target.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(target.name, encoding="utf-8")
        (out / "model").rename(target)
    return _models() / note.read_text(encoding="utf-8")


def _models() -> Path:
    return Path(settings.VAR_DIR) / "models"


def folder_of(name: str, version: int) -> Path:
    """Return where a model version lives."""
    plain = re.sub(r"[^\w.-]+", "-", name)
    return _models() / f"{plain}-v{version}"


def _is_taken(recipe: Recipe) -> bool:
    return ModelVersion.objects.filter(name=recipe.name, version=recipe.version).exists()


def next_version(name: str) -> int:
    """Return the first version of a model's name that nobody has."""
    version = (ModelVersion.objects.filter(name=name).aggregate(last=Max("version"))["last"] or 0) + 1
    while folder_of(name, version).exists():
        version += 1
    return version


def _promote(run: TrainingRun, model: ModelVersion) -> str:
    """Promote the model if it beats the active one, and say why or why not."""
    active = ModelVersion.objects.filter(category=run.category, state=ModelVersion.State.ACTIVE).first()
    if stale_models(among=[model]):
        return "Not promoted: tweets that it learned from were withdrawn meanwhile."
    same = active is not None and (active.corpus_sha256, active.scores.get("heldout_tweets")) == (
        model.corpus_sha256,
        model.scores.get("heldout_tweets"),
    )
    comparison = rules.compare(model.scores, active.scores if active else None, same_heldout=same)
    if not comparison.beats:
        return f"Not promoted: {comparison.reason}."
    try:
        promote_model(model_version=model, by=run.asked_by, reason=f"by training run {run.pk}: {comparison.reason}")
    except PromotionError as error:
        return f"Not promoted: {error}"
    return f"Promoted: {comparison.reason}."


def _pass_on_what_was_learned(folder: Path, base: Path | None, tuned: Path) -> None:
    """Write what the tuned weights learned beside them: they may be the base of another model."""
    parts = [learned for place in (folder, base) if place and (learned := read_learned(place))]
    marks = {mark for part in parts for mark in part.hashes}
    (tuned / "learned.bin").write_bytes(HashedSet.of(marks, RUN_BYTES).to_bytes())
