"""Transactions of training: runs are asked for, claimed, followed, cancelled, taken over; a person's page hears of each change."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, Now

from game.live.services import announce
from game.pool.models import Category, Split
from generation.versions import STARTER_BASE
from training import rules
from training.corpora import approved_tweets
from training.models import TrainingRun
from training.steps.recipe import Recipe, StepError, make_recipe

# Claims whose worker died: a run that is too big for its machine kills one after the other.
MAX_TRIES = 5
# What a run sets by itself.
PLACES = ("version", "category", "base", "corpus", "out")
UNFINISHED = (TrainingRun.State.WAITING, TrainingRun.State.RUNNING)

_State = TrainingRun.State


class TrainingError(Exception):
    """A run can't be started or go on; the message says why, in one line."""


class BusyError(TrainingError):
    """Another run has the device."""


class LostRunError(Exception):
    """Somebody else took a run over while this process worked on it, or it is over."""


def can_train_here() -> bool:
    """Say whether what training needs is installed, without importing it."""
    return find_spec("torch") is not None and find_spec("transformers") is not None


def start_run(
    *, category: Category, by: User | None, recipe_values: Mapping[str, Any], promote: bool = False, here: bool = False
) -> TrainingRun:
    """Ask for a run, which a worker takes within seconds (unless it is claimed `here`); TrainingError where it can't come to anything.

    `recipe_values` are knobs of a recipe, `base` among them: `starter`, a folder, or a name on the hub.
    Where the files lie, the category and the version are the run's own.
    """
    base = str(recipe_values.get("base") or "starter")
    if problem := what_a_base_lacks(base):
        raise TrainingError(problem)
    values = {key: value for key, value in recipe_values.items() if key not in PLACES}
    name = f"{Path(base).name}-{category.slug}"[:80]
    recipe = _recipe(values | {"name": values.get("name") or name, "category": category.slug, "base": base, "corpus": "", "out": ""})
    counts = [approved_tweets(category, split).count() for split in (Split.TRAIN, Split.PLAY)]
    if problem := rules.what_a_corpus_lacks(*counts):
        raise TrainingError(f"{category.slug} {problem}")
    defaults = {field.name: field.default for field in fields(Recipe)}
    with transaction.atomic():
        run = TrainingRun.objects.create(
            category=category,
            asked_by=by,
            base=recipe.base,
            recipe={key: value for key, value in asdict(recipe).items() if key not in PLACES and value != defaults[key]},
            promote=promote,
            lease_until=_lease() if here else Now(),
        )
        run.folder = f"training/{category.slug}-{run.pk}"
        run.save(update_fields=["folder"])
        _announce_on_commit(run.pk)
    return run


def _recipe(values: Mapping[str, Any]) -> Recipe:
    try:
        return make_recipe(values, "recipe")
    except StepError as error:
        raise TrainingError(str(error)) from error


def recipe_of(run: TrainingRun, *, version: int) -> Recipe:
    """Return the whole recipe of a run; raises TrainingError."""
    places = {"category": run.category.slug, "base": run.base, "corpus": str(run.path / "corpus"), "out": str(run.path)}
    # A card shall not tell where folders lie on this machine.
    base_name = Path(run.base).name if run.base != "starter" and folder_of_base(run.base) else run.base
    return _recipe({"base_name": base_name} | run.recipe | places | {"version": version})


def folder_of_base(base: str) -> Path | None:
    """Return the folder of a base; None if it is a name on the hub."""
    if base == "starter":
        return STARTER_BASE
    return Path(base) if Path(base).is_dir() or base.startswith((".", "/")) else None


def what_a_base_lacks(base: str) -> str:
    """Say what a base's folder lacks for training; empty if nothing, or if it is a name on the hub, which is asked later."""
    folder = folder_of_base(base)
    if folder is None:
        return ""
    if not (folder / "config.json").is_file():
        return f"base {str(folder)!r} is not there: it must be a folder in transformers format, or a name on the hub."
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json", "tokenizer.model")):
        return f"base {str(folder)!r} has no tokenizer: save tokenizer.json beside its weights."
    return ""


def cancel_run(*, run_id: int, by: User | None) -> None:
    """Stop a run: one that waits or was abandoned at once, one that runs as soon as its worker hears of it. One that is over stays."""
    idle = Q(state=_State.WAITING) | Q(state=_State.RUNNING, lease_until__lt=Now())
    who = f"cancelled by {by.get_username()}" if by else "cancelled"
    TrainingRun.objects.filter(pk=run_id, state__in=UNFINISHED, cancel_asked_at=None).update(cancel_asked_at=Now(), error=who)
    TrainingRun.objects.filter(idle, pk=run_id).update(state=_State.CANCELLED, finished_at=Now(), claimed_by=None)
    _announce_on_commit(run_id)


def put_back(*, run: TrainingRun) -> None:
    """Undo what start_run or find_run_to_resume did for a run that found its device taken."""
    mine = TrainingRun.objects.filter(pk=run.pk, state=_State.WAITING)
    mine.filter(started_at=None).delete()
    mine.update(state=_State.FAILED, finished_at=Now(), error="its device was taken")


def find_run_to_resume(*, category: Category, promote: bool) -> TrainingRun:
    """Return the category's last run, ready to be claimed again; raises TrainingError if it is done, going on, or there is none."""
    run = TrainingRun.objects.filter(category=category).order_by("-pk").first()
    if run is None or run.state == _State.DONE:
        raise TrainingError(f"{category.slug} has no run to resume: leave --resume out.")
    again = Q(state__in=(_State.FAILED, _State.CANCELLED, _State.WAITING)) | Q(state=_State.RUNNING, lease_until__lt=Now())
    fresh: dict[str, Any] = {"state": _State.WAITING, "finished_at": None, "cancel_asked_at": None, "error": "", "tries": 0}
    fresh |= {"claimed_by": None, "lease_until": _lease(), "promote": promote or run.promote}
    if not TrainingRun.objects.filter(again, pk=run.pk).update(**fresh):
        raise TrainingError(f"Run {run.pk} of {category.slug} is going on: wait for it, or cancel it.")
    run.refresh_from_db()
    return run


def take_back_abandoned() -> list[int]:
    """Let abandoned runs wait for another worker, end those that were cancelled or die again and again; return the runs to enqueue."""
    abandoned = TrainingRun.objects.filter(state=_State.RUNNING, lease_until__lt=Now())
    over: dict[str, Any] = {"finished_at": Now(), "claimed_by": None}
    abandoned.filter(cancel_asked_at__isnull=False).update(state=_State.CANCELLED, **over)
    died = f"Its worker died {MAX_TRIES} times, as it does when memory runs out: try a smaller batch or base."
    abandoned.filter(tries__gte=MAX_TRIES).update(state=_State.FAILED, error=died, **over)
    abandoned.update(state=_State.WAITING, claimed_by=None, lease_until=Now())
    with transaction.atomic():
        lost = TrainingRun.objects.select_for_update(skip_locked=True).filter(state=_State.WAITING, lease_until__lte=Now())
        waiting = list(lost.order_by("pk").values_list("pk", flat=True))
        TrainingRun.objects.filter(pk__in=waiting).update(lease_until=_lease())
    return waiting


def _lease() -> CombinedExpression:
    # By the database's clock: the one that all workers share.
    return Now() + timedelta(seconds=settings.TRAINING_LEASE_SECONDS)


def _announce_on_commit(run_id: int) -> None:
    transaction.on_commit(lambda: announce(topic="training", keys=[str(run_id), "all"]))


class RunClaim:
    """The right to work on a run until its lease ends and somebody takes it over. Every change goes through it."""

    def __init__(self, run: TrainingRun, token: UUID) -> None:
        self.run, self.token = run, token

    def renew(self) -> bool:
        """Prolong the lease, and say whether the run is to be cancelled; raises LostRunError."""
        self._update(lease_until=_lease())
        return self._mine().filter(cancel_asked_at__isnull=False).exists()

    def update(self, **changes: Any) -> None:
        """Write down how far the run is, and tell who watches; raises LostRunError."""
        self._update(**changes)
        self.run.refresh_from_db()
        _announce_on_commit(self.run.pk)

    def add_note(self, line: str) -> None:
        """Write down what else is worth knowing, once; raises LostRunError."""
        if line not in self.run.note.splitlines():
            self.update(note=f"{self.run.note}\n{line}".strip())

    def finish(self, state: str, **changes: Any) -> None:
        """End the run; raises LostRunError."""
        self.update(state=state, finished_at=Now(), claimed_by=None, **changes)

    def give_back(self) -> None:
        """Let the run wait for the next worker; raises LostRunError."""
        self.update(state=_State.WAITING, claimed_by=None, lease_until=Now(), tries=F("tries") - 1)

    def _update(self, **changes: Any) -> None:
        if not self._mine().update(**changes):
            raise LostRunError(f"Run {self.run.pk} was given to another worker.")

    def _mine(self) -> "QuerySet[TrainingRun]":
        return TrainingRun.objects.filter(pk=self.run.pk, state=_State.RUNNING, claimed_by=self.token)


def claim_run(*, run_id: int, device: Callable[[str], str]) -> RunClaim | None:
    """Claim a run that waits or was abandoned; None if it is over or somebody else's. Raises BusyError if its device is taken.

    `device` turns a recipe's device into the name of the one that this process would use.
    """
    run = TrainingRun.objects.select_related("category", "asked_by").get(pk=run_id)
    token, place = uuid4(), device(str(run.recipe.get("device", Recipe.device)))
    free = Q(state=_State.WAITING, cancel_asked_at=None) | Q(state=_State.RUNNING, lease_until__lt=Now())
    try:
        with transaction.atomic():
            won = TrainingRun.objects.filter(free, pk=run_id).update(
                state=_State.RUNNING,
                tries=F("tries") + 1,
                claimed_by=token,
                lease_until=_lease(),
                device=place,
                started_at=Coalesce(F("started_at"), Now()),
            )
    except IntegrityError:
        other = TrainingRun.objects.filter(state=_State.RUNNING, device=place).first()
        raise BusyError(f"{other or 'Another training'} is going on on {place}: wait for it, or cancel it.") from None
    if not won:
        return None
    run.refresh_from_db()
    _announce_on_commit(run.pk)
    return RunClaim(run, token)
