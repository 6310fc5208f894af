"""Pages of the duel. Everybody may ask, look, share, report, and send what a bot wrote to the moderators' queue."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from game.accounts.identity import player_id_of, remember_player
from game.accounts.services import attach_player
from game.guards import only_post
from game.limits import limited, refuse_too_many
from generation.duel import selectors
from generation.duel.columns import DUEL
from generation.duel.forms import ReportForm
from generation.duel.limits import visitor
from generation.duel.models import Completion, Prompt
from generation.duel.rules import BadPrompt
from generation.duel.services import Crowded, NotSendable, TooMany, ask, report_completion, send_to_pool, visit

# Known prompts that the front page offers.
OFFERED = 12
_IN_CLASS = "A class is guessing at that one just now. Try another, and this one later."
_TAKEN_OUT = "A moderator has taken that beginning out. Try another."


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def front(request: HttpRequest) -> HttpResponse:
    """Take the beginning of a tweet, and show what the bots make of it: everybody may."""
    if request.method != "POST":
        return _question(request)
    if refusal := refuse_too_many(request, "RATE_DUEL"):
        return _hurry(request, refusal)
    refusals: list[HttpResponse] = []

    def may_ask_new() -> bool:
        refusals.extend(filter(None, [refuse_too_many(request, "RATE_DUEL_NEW", visitor)]))
        return not refusals

    try:
        duel = ask(text=request.POST.get("q", ""), allow_new=may_ask_new)
    except BadPrompt as error:
        return _question(request, kind="bad", message=str(error), status=422)
    except TooMany:
        return _hurry(request, refusals[0])
    except Crowded as error:
        return _question(request, kind="crowded", message=f"{error} Try again in a minute.")
    if duel["prompt"].is_withheld:
        return _question(request, kind="bad", message=_why_withheld(duel["prompt"]), status=422)
    path = reverse("duel:prompt", args=[duel["prompt"].token])
    if not request.htmx:  # type: ignore[attr-defined]
        # The visit is counted.
        return redirect(f"{path}?asked")
    response = _answers(request, duel)
    response.headers["HX-Push-Url"] = path
    return response


def _hurry(request: HttpRequest, refusal: HttpResponse) -> HttpResponse:
    retry = refusal.headers["Retry-After"]
    response = _question(request, kind="hurry", message=f"That was a lot of asking. The next one may come in {retry} s.", status=429)
    response.headers["Retry-After"] = retry
    return response


def _question(request: HttpRequest, *, kind: str = "", message: str = "", status: int = 200) -> HttpResponse:
    """Draw the page that takes a beginning, with what was typed and what is wrong with it."""
    typed = request.POST.get("q", "") or request.GET.get("q", "")
    trouble = {"kind": kind, "message": message} if kind else None
    return _draw(request, {"text": typed[:1000], "trouble": trouble, "known": selectors.known_prompts(OFFERED)}, status)


def _answers(request: HttpRequest, duel: dict[str, Any]) -> HttpResponse:
    return _draw(request, duel | {"live_url": f"/live/{DUEL}/{duel['prompt'].token}/"}, 200)


def _draw(request: HttpRequest, context: dict[str, Any], status: int) -> HttpResponse:
    """Draw a page, or the part of it that htmx asks for; they share an address."""
    template = "duel/fragment.html" if request.htmx else "duel/page.html"  # type: ignore[attr-defined]
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


@never_cache
@require_safe
def show(request: HttpRequest, token: str) -> HttpResponse:
    """Show what the bots made of a beginning, as far as they are: everybody with the link may."""
    is_counted = request.method == "GET" and "asked" not in request.GET
    duel = visit(token=token) if is_counted else selectors.read_duel(token)
    if duel is None:
        raise Http404("No such prompt.")
    if duel["prompt"].is_withheld:
        return _question(request, kind="bad", message=_why_withheld(duel["prompt"]), status=410)
    return _answers(request, duel)


@require_safe
def suggest(request: HttpRequest) -> HttpResponse:
    """List approved prompts that begin with `q`, as options of the field: everybody may."""
    return render(request, "duel/suggestions.html", {"suggestions": selectors.suggest(request.GET.get("q", ""))})


@never_cache
@require_safe
def completion(request: HttpRequest, token: str) -> HttpResponse:
    """Show one completion: everybody with the link may, unless it is hidden."""
    found = _find(token)
    context = {"completion": found, "prompt": found.column.prompt, "is_hidden": _is_hidden(found), "url": request.build_absolute_uri()}
    return render(request, "duel/completion.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_DUEL")
def report(request: HttpRequest, token: str) -> HttpResponse:
    """Ask what is wrong with a completion, and note it: everybody may, once."""
    found = _find(token)
    if _is_hidden(found):
        return _told(request, found, "It is hidden already.", done=False)
    form = ReportForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        template = "duel/report_form.html" if request.htmx else "duel/report.html"  # type: ignore[attr-defined]
        return render(request, template, {"completion": found, "form": form})
    player_id = player_id_of(request)
    if player_id is None and isinstance(request.user, User):
        # Somebody signed in whose browser lost the player's cookie.
        player_id = attach_player(user=request.user, guest_id=None).pk
    player_id = report_completion(token=token, by=player_id, reason=form.cleaned_data["reason"])
    response = _told(request, found, "Thank you. A moderator will look at it.", done=True)
    remember_player(response, player_id)
    return response


@never_cache
@only_post
@limited("RATE_DUEL")
def send(request: HttpRequest, token: str) -> HttpResponse:
    """Put a completion into the moderators' queue: everybody may."""
    found = _find(token)
    try:
        send_to_pool(token=token)
    except NotSendable as error:
        return _told(request, found, str(error), done=False)
    return _told(request, found, "Sent. It is played once a moderator has approved it.", done=True)


def _told(request: HttpRequest, completion: Completion, message: str, *, done: bool) -> HttpResponse:
    """Say what came of it: in place, or on the completion's page."""
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "duel/told.html", {"message": message, "done": done})
    (messages.success if done else messages.error)(request, message)
    return redirect("duel:completion", completion.token)


def _find(token: str) -> Completion:
    return get_object_or_404(Completion.objects.select_related("column__prompt", "column__model_version__category"), token=token)


def _is_hidden(completion: Completion) -> bool:
    return completion.hidden or completion.column.prompt.is_withheld


def _why_withheld(prompt: Prompt) -> str:
    return _TAKEN_OUT if prompt.status == Prompt.Status.REJECTED else _IN_CLASS
