"""Pages on which moderators train models, watch runs, and decide which model writes. Nobody else may."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from game.guards import line_in, number_in, only_post, only_with, signed_in
from game.limits import limited
from game.live.services import announce
from game.pool.models import Category
from generation.backends.base import UnusableModelError
from generation.models import ModelVersion
from generation.versions import PromotionError, promote_model, retire_model, roll_back
from training import selectors
from training.forms import BASES, TrainForm, values_of
from training.models import TrainingRun
from training.services import TrainingError, can_train_here, cancel_run, start_run
from training.topics import ALL_RUNS, PERMISSION, TRAINING

for_trainers = only_with(PERMISSION, home="training:index")


@for_trainers
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_TRAINING")
def index(request: HttpRequest) -> HttpResponse:
    """Show runs, models and history, and start a run: moderators may. With `?from=RUN`, fill in the form as for that run."""
    able = can_train_here()
    if request.method == "POST":
        form = TrainForm(request.POST)
        if able and form.is_valid():
            try:
                run = start_run(
                    category=form.cleaned_data["category"],
                    by=signed_in(request),
                    recipe_values=form.recipe_values(),
                    promote=form.cleaned_data["promote"],
                )
            except TrainingError as error:
                form.add_error(None, str(error))
            else:
                return redirect("training:run", run.pk)
    else:
        form = TrainForm(initial=_initial(request.GET.get("from", "")))
    context = {
        **selectors.read_list(now=timezone.now()),
        "form": form,
        "bases": BASES,
        "able": able,
        "live_url": f"/live/{TRAINING}/{ALL_RUNS}/",
    }
    return render(request, "training/index.html", context)


def _initial(run_id: str) -> dict[str, Any]:
    run = TrainingRun.objects.select_related("category").filter(pk=number_in(run_id) or 0).first()
    return values_of(run) if run else {}


@for_trainers
@require_safe
def run(request: HttpRequest, run_id: int) -> HttpResponse:
    """Show how far a run is: moderators may."""
    found = selectors.read_run(run_id, now=timezone.now())
    if found is None:
        raise Http404("No such run.")
    context = {**found, "changed": selectors.changed_knobs(found["run"]), "live_url": f"/live/{TRAINING}/{run_id}/"}
    return render(request, "training/run.html", context)


@for_trainers
@only_post
@limited("RATE_TRAINING")
def cancel(request: HttpRequest, run_id: int) -> HttpResponse:
    """Stop a run: moderators may. One that is over stays as it is."""
    get_object_or_404(TrainingRun, pk=run_id)
    cancel_run(run_id=run_id, by=signed_in(request))
    return redirect("training:run", run_id)


@for_trainers
@only_post
@limited("RATE_TRAINING")
def promote(request: HttpRequest, model_id: int) -> HttpResponse:
    """Have a model write for its category from now on: moderators may."""
    model = get_object_or_404(ModelVersion.objects.select_related("category"), pk=model_id)
    done = f"{model} writes for {model.category} from now on."
    return _act(request, done, lambda reason: promote_model(model_version=model, by=signed_in(request), reason=reason))


@for_trainers
@only_post
@limited("RATE_TRAINING")
def go_back(request: HttpRequest, slug: str) -> HttpResponse:
    """Have the model write that did before the active one: moderators may."""
    category = get_object_or_404(Category, slug=slug)

    def act(reason: str) -> None:
        active = category.model_versions.filter(state=ModelVersion.State.ACTIVE).first()
        # A second click, or somebody slower, would go back further than they saw.
        if request.POST.get("active") != (str(active.pk) if active else ""):
            raise PromotionError(f"Nothing was rolled back: {category} has another model by now.")
        roll_back(category=category, by=signed_in(request), reason=reason)

    return _act(request, f"{category} has the model back that wrote before.", act)


@for_trainers
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_TRAINING")
def retire(request: HttpRequest, model_id: int) -> HttpResponse:
    """Ask whether a model shall be retired, and retire it: moderators may."""
    model = get_object_or_404(ModelVersion.objects.select_related("category"), pk=model_id)
    if request.method != "POST":
        return render(request, "training/retire.html", {"model": model})
    return _act(request, f"{model} is retired.", lambda reason: retire_model(model_version=model, by=signed_in(request), reason=reason))


def _act(request: HttpRequest, done: str, act: Callable[[str], Any]) -> HttpResponse:
    """Do something to a model for the reason given, say what became of it above the models, and tell those who watch."""
    try:
        act(line_in(request.POST.get("reason", ""), longest=200))
    except (PromotionError, UnusableModelError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done)
        announce(topic=TRAINING, keys=[ALL_RUNS])
    return redirect(f"{reverse('training:index')}#models")
