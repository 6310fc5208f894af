"""The page on which moderators see how generation is doing. Nobody else may."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from game.guards import only_post, only_with
from game.limits import limited
from generation import selectors
from generation.batches import ALL, GENERATION, clear_failure, retry_failure
from generation.topics import PERMISSION

for_watchers = only_with(PERMISSION, home="generation:index")


@for_watchers
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Show what each category has, who writes, what waits and what failed: moderators may."""
    context = {**selectors.read_page(now=timezone.now()), "live_url": f"/live/{GENERATION}/{ALL}/"}
    return render(request, "generation/index.html", context)


@for_watchers
@only_post
@limited("RATE_GENERATION")
def try_again(request: HttpRequest, batch_id: int) -> HttpResponse:
    """Have a failed batch done once more: moderators may."""
    if retry_failure(batch_id=batch_id):
        messages.success(request, "It is tried again as soon as a worker is free.")
    else:
        messages.error(request, "That is no failure any more, or its model writes no more.")
    return redirect("generation:index")


@for_watchers
@only_post
@limited("RATE_GENERATION")
def clear(request: HttpRequest, batch_id: int) -> HttpResponse:
    """Forget a failed batch and what failed alike: moderators may."""
    clear_failure(batch_id=batch_id)
    return redirect("generation:index")
