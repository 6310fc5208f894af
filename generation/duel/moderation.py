"""The page on which moderators decide about prompts and completions of the duel. Nobody else may."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from game.guards import only_with, signed_in
from game.limits import limited
from generation.duel import selectors
from generation.duel.forms import REASONS
from generation.duel.models import Completion, Prompt
from generation.duel.services import decide_prompt, hide_completion, restore_completion

PERMISSION = "duel.moderate_duel"
# Decisions of late, each of which can be turned round.
SHOWN = 20


@only_with(PERMISSION, home="duel:moderate")
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_DUEL")
def moderate(request: HttpRequest) -> HttpResponse:
    """Show what waits for a decision and what was decided of late, and decide: moderators may.

    POST `approve` or `reject` with a prompt's token, or with `ticked` for those in `prompt`; `hide` or `restore` with a completion's.
    """
    if request.method != "POST":
        return render(request, "duel/moderate.html", _read_desk())
    said = next((name for name in _ACTIONS if name in request.POST), None)
    if said is None:
        return HttpResponseBadRequest("Say approve, reject, hide or restore.", content_type="text/plain")
    value = request.POST[said]
    tokens = request.POST.getlist("prompt") if value == "ticked" else [value]
    if not tokens:
        messages.error(request, "Tick the prompts first.")
    act, done = _ACTIONS[said]
    for token in tokens:
        _act(request, act, token, done)
    return redirect("duel:moderate")


def _act(request: HttpRequest, act: Callable[[str, User], Any], token: str, done: str) -> None:
    try:
        act(token, signed_in(request))
    except (Prompt.DoesNotExist, Completion.DoesNotExist):
        messages.error(request, "One of them is gone.")
    else:
        messages.success(request, done)


_ACTIONS: dict[str, tuple[Callable[[str, User], Any], str]] = {
    "approve": (lambda token, by: decide_prompt(token=token, by=by, approved=True), "Approved: it is offered to others."),
    "reject": (lambda token, by: decide_prompt(token=token, by=by, approved=False), "Rejected: its page is closed."),
    "hide": (lambda token, by: hide_completion(token=token, by=by), "Hidden."),
    "restore": (lambda token, by: restore_completion(token=token, by=by), "Shown again."),
}


def _read_desk() -> dict[str, Any]:
    reported = selectors.reported_completions()
    names = dict(REASONS)
    for completion in reported:
        counts: dict[str, int] = {}
        for report in completion.open_reports:
            counts[report.reason] = counts.get(report.reason, 0) + 1
        completion.reasons = [(names.get(reason, reason), count) for reason, count in counts.items()]
    return {
        "prompts": selectors.prompts_to_decide(),
        "reported": reported,
        "decided": Prompt.objects.exclude(status=Prompt.Status.PENDING).select_related("decided_by").order_by("-decided_at")[:SHOWN],
        "settled": _settled(),
    }


def _settled() -> list[Completion]:
    """Return completions that a moderator hid or showed, or that were shown again after reports, the last one first."""
    found = Completion.objects.annotate(
        unsettled=Count("reports", filter=Q(reports__settled=False)), settled=Count("reports", filter=Q(reports__settled=True)), last=Max("reports__at")
    ).filter(Q(hidden=True) | Q(settled__gt=0), unsettled=0)
    return list(found.select_related("column__prompt", "column__model_version__category").order_by("-last", "-pk")[:SHOWN])
