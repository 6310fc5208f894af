"""What the training pages read. Nothing here writes."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from game.pool.models import Category
from generation.models import ModelEvent, ModelVersion
from generation.rules import model_to_go_back_to
from generation.versions import StaleModel, stale_models
from training import words
from training.curve import Point, draw_curve
from training.figures import is_served, read_figures
from training.models import TrainingPoint, TrainingRun, TrainingSample
from training.services import UNFINISHED
from training.steps.recipe import Recipe

SHOWN_RUNS = 5
SHOWN_EVENTS = 40
# Of the samples: where it began, and the newest checks.
SHOWN_CHECKS = 5
SHOWN_ROWS = 40
# After so long it is odd that no worker has taken a run.
ODD_WAIT = timedelta(seconds=30)

# Knobs that turn nothing.
_NAMES = ("name", "base_name", "note")

_State = TrainingRun.State


def read_list(*, now: datetime) -> dict[str, Any]:
    """Return everything that the list shows and that may change: runs, models by category, history."""
    return {**read_runs(now=now), "categories": read_models(), "history": read_history()}


def read_runs(*, now: datetime) -> dict[str, Any]:
    """Return the runs for the list: the newest ones described, and the older ones."""
    runs = list(TrainingRun.objects.select_related("category", "model_version").order_by("-pk")[: 10 * SHOWN_RUNS])
    running = _running(runs)
    return {"runs": [describe_run(run, running, now=now) for run in runs[:SHOWN_RUNS]], "earlier": runs[SHOWN_RUNS:]}


def read_run(run_id: int, *, now: datetime) -> dict[str, Any] | None:
    """Return everything that the page of one run shows and that may change; None if there is no such run."""
    run = TrainingRun.objects.select_related("category", "model_version", "asked_by").filter(pk=run_id).first()
    if run is None:
        return None
    points = list(TrainingPoint.objects.filter(run=run).order_by("step"))
    train = [Point(point.step, point.train_loss) for point in points if point.train_loss is not None]
    held_back = [Point(point.step, point.held_back_loss) for point in points if point.held_back_loss is not None]
    active = ModelVersion.objects.filter(category=run.category_id, state=ModelVersion.State.ACTIVE).first()
    return {
        **describe_run(run, _running(), now=now),
        "curve": draw_curve(train, held_back, run.steps),
        "best": min(held_back, key=lambda point: point.loss, default=None),
        "rows": _pick_rows(points),
        "samples": _pick_samples(run),
        "notes": run.note.splitlines(),
        "scores": compare_scores(run.model_version, None if active == run.model_version else active),
        "served": run.model_version is not None and is_served(run.model_version.scores),
        "active": active,
    }


def describe_run(run: TrainingRun, running: list[TrainingRun], *, now: datetime) -> dict[str, Any]:
    """Say in words how far a run is and what somebody could do about it; `running` are all runs that run."""
    left = words.seconds_left(step=run.step, steps=run.steps, seconds=run.seconds) if run.stage == "finetune" else None
    number = words.stage_number(run.stage)
    return {
        "run": run,
        "unfinished": run.state in UNFINISHED,
        "stages": words.STAGES,
        "stage": number,
        "doing": words.STAGES[number][1],
        "left": words.duration(left) if left is not None and run.state == _State.RUNNING else "",
        "share": run.step / run.steps if run.steps else 0.0,
        "took": words.duration(run.seconds),
        "pace": _tokens_a_second(run),
        "waits_for": next((other for other in running if other.pk != run.pk), None) if run.state == _State.WAITING else None,
        "waits_long": run.state == _State.WAITING and now - run.created_at > ODD_WAIT,
        "abandoned": run.state == _State.RUNNING and run.lease_until < now,
    }


def changed_knobs(run: TrainingRun) -> list[tuple[str, Any, Any]]:
    """Return the knobs of a run that differ from their defaults: name, value, default."""
    defaults = {field.name: field.default for field in fields(Recipe)}
    return [(name, value, defaults.get(name)) for name, value in sorted(run.recipe.items()) if name not in _NAMES]


def compare_scores(model: ModelVersion | None, active: ModelVersion | None) -> list[dict[str, Any]]:
    """Return a row for each figure: of a model, and of the one that is active in its place."""
    ours, theirs = (read_figures(each.scores if each else {}) for each in (model, active))
    return [{"figure": our, "active": their} for our, their in zip(ours, theirs, strict=True)]


def read_models() -> list[dict[str, Any]]:
    """Return every category with its model versions by state, and which of them a rollback would bring back."""
    # Before the models: the model of an event is there.
    events = list(ModelEvent.objects.order_by("pk").values_list("action", "model_version_id"))
    models = {model.pk: model for model in ModelVersion.objects.order_by("-pk")}
    stale = {found.model_version.pk: found for found in stale_models()}
    actions: dict[int, list[tuple[str, int]]] = {}
    for action, pk in events:
        actions.setdefault(models[pk].category_id, []).append((action, pk))

    def group(category: Category) -> dict[str, Any]:
        own = [model for model in models.values() if model.category_id == category.pk]
        described = [_describe_model(model, stale.get(model.pk)) for model in own]
        return {
            "category": category,
            **{str(state): [each for each in described if each["model"].state == state] for state in ModelVersion.State},
            "before": models.get(model_to_go_back_to(actions.get(category.pk, [])) or 0),
        }

    return [group(category) for category in Category.objects.all()]


def _describe_model(model: ModelVersion, stale: StaleModel | None) -> dict[str, Any]:
    return {
        "model": model,
        "figures": read_figures(model.scores),
        "served": is_served(model.scores),
        "stale": stale,
        "stale_authors": words.named(stale.authors) if stale else "",
    }


def read_history() -> "QuerySet[ModelEvent]":
    """Return what was done to models, the newest first."""
    return ModelEvent.objects.select_related("model_version", "by")[:SHOWN_EVENTS]


def _running(known: Iterable[TrainingRun] | None = None) -> list[TrainingRun]:
    if known is not None:
        return [run for run in known if run.state == _State.RUNNING]
    return list(TrainingRun.objects.filter(state=_State.RUNNING))


def _tokens_a_second(run: TrainingRun) -> int | None:
    """Return the pace of learning in tokens a second, as steps of full blocks."""
    if not run.seconds or not run.step:
        return None
    knobs = {name: run.recipe.get(name, getattr(Recipe, name)) for name in ("batch", "block")}
    return round(run.step * knobs["batch"] * knobs["block"] / run.seconds)


def _pick_rows(points: list[TrainingPoint]) -> list[dict[str, Any]]:
    """Return the rows of the table: every check, and as many other points as it takes to fill it evenly."""
    every = -(-len(points) // SHOWN_ROWS) or 1
    picked = [point for number, point in enumerate(points, 1) if point.held_back_loss is not None or number % every == 0]
    return [{"point": point, "minutes": point.seconds / 60} for point in picked]


def _pick_samples(run: TrainingRun) -> list[dict[str, Any]]:
    samples = TrainingSample.objects.filter(run=run)
    steps = list(samples.order_by("-step").values_list("step", flat=True).distinct())
    shown = steps if len(steps) <= SHOWN_CHECKS else [*steps[: SHOWN_CHECKS - 1], steps[-1]]
    texts: dict[int, list[str]] = {step: [] for step in shown}
    for step, text in samples.filter(step__in=shown).order_by("position").values_list("step", "text"):
        texts[step].append(text)
    return [{"step": step, "texts": texts[step]} for step in shown]
