"""The page on which moderators decide about prompts and completions of the duel. Nobody else may."""

from collections import Counter
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
from generation.duel.models import Completion, CompletionReport, Prompt
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
    act, done = _ACTIONS[said]
    if not tokens:
        messages.error(request, "Tick the prompts first.")
    elif gone := [token for token in tokens if not _act(act, token, by=signed_in(request))]:
        messages.error(request, f"{len(gone)} of {len(tokens)} are not there any more.")
    else:
        messages.success(request, done)
    return redirect("duel:moderate")


def _act(act: Callable[[str, User], Any], token: str, *, by: User) -> bool:
    try:
        act(token, by)
    except (Prompt.DoesNotExist, Completion.DoesNotExist):
        return False
    return True


_ACTIONS: dict[str, tuple[Callable[[str, User], Any], str]] = {
    "approve": (lambda token, by: decide_prompt(token=token, by=by, approved=True), "Approved, and offered to others from now on."),
    "reject": (lambda token, by: decide_prompt(token=token, by=by, approved=False), "Rejected: nobody sees it any more."),
    "hide": (lambda token, by: hide_completion(token=token, by=by), "Hidden."),
    "restore": (lambda token, by: restore_completion(token=token, by=by), "Shown again."),
}


def _read_desk() -> dict[str, Any]:
    return {
        "prompts": selectors.prompts_to_decide(),
        "reported": [{"completion": completion, "reasons": _count_reasons(completion)} for completion in selectors.reported_completions()],
        "decided": Prompt.objects.exclude(status=Prompt.Status.PENDING).select_related("decided_by").order_by("-decided_at")[:SHOWN],
        "settled": _settled(),
    }


def _count_reasons(completion: Completion) -> list[tuple[str, int]]:
    names = dict(REASONS)
    reports: list[CompletionReport] = completion.open_reports  # type: ignore[attr-defined]  # a prefetch of reported_completions
    return [(names.get(reason, reason), count) for reason, count in Counter(report.reason for report in reports).most_common()]


def _settled() -> list[Completion]:
    """Return completions that a moderator hid or showed, or that were shown again after reports, the last one first."""
    found = Completion.objects.annotate(
        unsettled=Count("reports", filter=Q(reports__settled=False)),
        settled=Count("reports", filter=Q(reports__settled=True)),
        last=Max("reports__at"),
    ).filter(Q(hidden=True) | Q(settled__gt=0), unsettled=0)
    return list(found.select_related("column__prompt", "column__model_version__category").order_by("-last", "-pk")[:SHOWN])
