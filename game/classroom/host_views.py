"""The teacher's pages of a class: make one, project it, hold it from a phone. Teachers may, and of each session its own alone."""

import random
from io import BytesIO
from typing import Any

import segno
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_safe

from game.classroom import rules, services
from game.classroom.access import for_teachers, own_session
from game.classroom.forms import NewClassForm, choices_like
from game.classroom.frames import host_frames, presenter_frames
from game.classroom.host_selectors import find_own_session, list_sessions
from game.classroom.pace_views import render_watch
from game.classroom.selectors import read_places
from game.guards import number_in, only_post, signed_in
from game.limits import limited
from game.play.drawing import NotEnoughTweets

PAGE = 50
# Not seedable from outside: who can predict the coin can predict the card.
_rng = random.SystemRandom()


@for_teachers
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """List one's own sessions: teachers may."""
    page = Paginator(list_sessions(signed_in(request)), PAGE).get_page(request.GET.get("page"))
    return render(request, "classroom/index.html", {"page": page})


@for_teachers
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_CLASS")
def new(request: HttpRequest) -> HttpResponse:
    """Make a session; with `?like=CODE` the form begins as that one's: teachers may."""
    teacher, now = signed_in(request), timezone.now()
    like = find_own_session(code=request.GET.get("like", ""), teacher=teacher)
    form = NewClassForm(request.POST or None, now=now, initial=choices_like(like) if like else None)
    if request.method == "POST" and form.is_valid():
        try:
            session = services.create_session(teacher=teacher, now=now, rng=_rng, **form.read())
        except NotEnoughTweets:
            form.add_error("cards", "There are not enough tweets for so many. Choose fewer, or more decks.")
        else:
            return redirect("classroom:host", session.code)
    return render(request, "classroom/new.html", {"form": form}, status=422 if form.is_bound else 200)


@for_teachers
@require_safe
def host(request: HttpRequest, code: str) -> HttpResponse:
    """Show the projector's view, and move a class on whose time is up: its teacher may."""
    return _draw(request, "host", code)


@for_teachers
@require_safe
def presenter(request: HttpRequest, code: str) -> HttpResponse:
    """Show the phone's view, with `?names=all` every name in it: its teacher may."""
    return _draw(request, "presenter", code)


@for_teachers
@only_post
@limited("RATE_CLASS")
def act(request: HttpRequest, code: str) -> HttpResponse:
    """Do `action` to a class that is still at `version`: its teacher may."""
    session = own_session(request, code)
    action, version = request.POST.get("action", ""), number_in(request.POST.get("version", ""))
    if action in _ACTIONS and version is not None:
        services.act(session_id=session.pk, action=rules.Action(action), version=version, now=timezone.now())
    return _show_again(request, session.code)


@for_teachers
@only_post
@limited("RATE_CLASS")
def kick(request: HttpRequest, code: str) -> HttpResponse:
    """Send the student of a seat out: its teacher may."""
    session = own_session(request, code)
    number = number_in(request.POST.get("seat", "")) or 0
    if seat := session.seats.filter(pk=number, kicked_at=None).first():
        services.kick(seat=seat, now=timezone.now())
    return _show_again(request, session.code)


@require_safe
@cache_control(max_age=3600)
def qr(request: HttpRequest, code: str) -> HttpResponse:
    """Draw the address of /join/<code>/, or of the presenter's page with `?to=presenter`: everybody may, whatever is there."""
    route = "classroom:presenter" if request.GET.get("to") == "presenter" else "classroom:join"
    drawn = segno.make(request.build_absolute_uri(reverse(route, args=[code])), error="m", micro=False)
    # Its own light ground: phones don't read one that is light on dark.
    picture = BytesIO()
    drawn.save(picture, kind="svg", light="white", omitsize=True, xmldecl=False)
    return HttpResponse(picture.getvalue(), content_type="image/svg+xml")


# The time runs out by itself.
_ACTIONS = {action.value for action in rules.Action if action != rules.Action.EXPIRE}
_FRAMES = {"host": host_frames, "presenter": presenter_frames}


def _draw(request: HttpRequest, view: str, code: str) -> HttpResponse:
    session = own_session(request, code)
    if code != session.code:
        return redirect(f"classroom:{view}", session.code)
    if not session.is_in_step:
        return render_watch(request, session)
    session = services.move_on_if_due(session=session, now=timezone.now())
    frames = _FRAMES[view](session=session)
    join = request.build_absolute_uri(reverse("classroom:join"))
    context: dict[str, Any] = {
        "session": session,
        "frame": frames.shared,
        "clock": frames.fresh(),
        "join_url": request.build_absolute_uri(reverse("classroom:join", args=[session.code])),
        "join_address": join.partition("://")[2].rstrip("/"),
    }
    if view == "presenter" and request.GET.get("names") == "all":
        context["places"] = list(read_places(session, None))
    return render(request, f"classroom/{view}/page.html", context)


def _show_again(request: HttpRequest, code: str) -> HttpResponse:
    """Answer a button: pages with scripts are sent what changed, or ask for it; others get the page again."""
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=204)
    return redirect("classroom:host" if request.POST.get("view") == "host" else "classroom:presenter", code)
