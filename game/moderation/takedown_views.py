"""Pages on which moderators take tweets down, and the receipts of it. Nobody else may."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from game.guards import line_in, only_with, signed_in
from game.limits import limited
from game.moderation.models import Takedown
from game.moderation.takedowns import LONGEST_REASON, Preview, Refused, preview, receipt_lines, take_down
from game.moderation.targets import BadTarget, find_target

SHOWN = 50
for_takedowns = only_with("moderation.take_down", home="moderation:takedown")


@for_takedowns
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_MODERATION")
def ask(request: HttpRequest) -> HttpResponse:
    """Say what taking down `what` would do, and do it: those may who can take down. POST `what` and a `reason`."""
    given = request.POST if request.method == "POST" else request.GET
    what, reason, trouble = given.get("what", ""), line_in(given.get("reason", ""), longest=LONGEST_REASON), ""
    ahead: Preview | None = None
    if what or request.method == "POST":
        try:
            target = find_target(what)
            if request.method == "POST":
                receipt = take_down(target=target, by=signed_in(request), reason=reason, now=timezone.now())
                return redirect("moderation:receipt", receipt.number)
            ahead = preview(target)
        except BadTarget as error:
            trouble = str(error)
        except Refused as error:
            trouble, ahead = str(error), preview(target)
    context = {
        "what": what,
        "reason": reason,
        "longest_reason": LONGEST_REASON,
        "ahead": ahead,
        "trouble": trouble,
        "receipts": Takedown.objects.select_related("by")[:SHOWN],
    }
    return render(request, "moderation/takedown.html", context, status=422 if trouble else 200)


@for_takedowns
@require_safe
def receipt(request: HttpRequest, number: str) -> HttpResponse:
    """Show a receipt, to be printed: those may who can take down."""
    takedown = get_object_or_404(Takedown.objects.select_related("by"), number=number)
    return render(request, "moderation/receipt.html", {"takedown": takedown, "lines": receipt_lines(takedown)})
