"""Pages of a class that writes: a student's sheet, and the teacher's desk, on which nobody sees whose a text is."""

import re
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from game.classroom import rules
from game.classroom.access import for_teachers, own_seat, own_session
from game.classroom.models import ClassSession, ClassText, Seat
from game.classroom.services import act
from game.classroom.texts import LONGEST, BadText
from game.classroom.writing_desk import Desk, decide_text, keep_text, open_desk, read_own_text, takes_texts
from game.limits import limited

_KEY = re.compile(r"[0-9a-f]{22}")
# Decisions that can be taken back one after the other.
_REMEMBERED = 50
_STATUSES = {
    "approve": (ClassText.Status.APPROVED, "Approved."),
    "reject": (ClassText.Status.REJECTED, "Rejected."),
    "undo": (ClassText.Status.PENDING, "Undone."),
}
_UNEVEN = "There must be a text of the class and one of a bot among those you approve. Approve some more."


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_ANSWER")
def write(request: HttpRequest, code: str) -> HttpResponse:
    """Show a seat's sheet, and keep what stands on it: whoever holds a seat in the class may, on that one."""
    seat = _find_seat(request, code)
    session, now = seat.session, timezone.now()
    context: dict[str, Any] = {"session": session, "longest": LONGEST}
    if request.method == "POST":
        try:
            context["kept"] = keep_text(seat=seat, typed=request.POST.get("text", ""), now=now)
        except BadText as error:
            context |= {"code": error.code, "trouble": str(error), "kept": read_own_text(seat=seat)}
        return _draw(request, "classroom/writing/kept.html", context)
    context["kept"] = kept = read_own_text(seat=seat)
    context["own"] = kept.body.removeprefix(session.prompt).lstrip() if kept else ""
    sheet = "sheet" if takes_texts(session.state, now) else "handed_in"
    return _draw(request, f"classroom/writing/{sheet}.html", context)


def _find_seat(request: HttpRequest, code: str) -> Seat:
    seat = own_seat(request, code.upper())
    if seat is None or seat.session.mode != ClassSession.Mode.WRITE:
        raise Http404("No such seat of yours.")
    return seat


def _draw(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Draw a part of the student's page; who comes without htmx is led to that page."""
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect("classroom:student", context["session"].code)
    return render(request, template, context)


@for_teachers
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_CLASS")
def texts(request: HttpRequest, code: str) -> HttpResponse:
    """Show the texts of a class one at a time, and decide on them: its teacher may.

    POST `approve` or `reject` with a text's key; `undo` with `trail`, the keys decided on before, the last one last; `deal` to go on.
    """
    session = own_session(request, code)
    if session.mode != ClassSession.Mode.WRITE:
        raise Http404("No such class of yours.")
    trail = [key for key in request.POST.get("trail", request.GET.get("trail", "")).split(",") if _KEY.fullmatch(key)][-_REMEMBERED:]
    said = trouble = ""
    at = request.GET.get("at", "")
    if request.method == "POST":
        if "deal" in request.POST:
            trouble = _deal(session)
        elif done := _decide(session, request, trail):
            said, at = done
    session.refresh_from_db()
    desk = open_desk(session=session) if session.phase == rules.Phase.CHOOSING else None
    context = {"session": session, "desk": desk, "said": said, "trouble": trouble, "trail": ",".join(trail)}
    if desk:
        context |= _place(desk, at, decided="approve" in request.POST or "reject" in request.POST)
    template = "classroom/writing/desk.html" if request.htmx else "classroom/writing/texts.html"  # type: ignore[attr-defined]
    return render(request, template, context)


def _deal(session: ClassSession) -> str:
    """Go on to the cards; return why that can't be."""
    # Pressed twice, the second time must not turn the first card.
    if session.phase != rules.Phase.CHOOSING:
        return ""
    moved = act(session_id=session.pk, action=rules.Action.NEXT, version=session.version, now=timezone.now())
    return "" if moved else _UNEVEN


def _decide(session: ClassSession, request: HttpRequest, trail: list[str]) -> tuple[str, str] | None:
    """Decide as the form says; return what to say, and the key of the text it was about."""
    for name, (status, words) in _STATUSES.items():
        if name in request.POST:
            if name == "undo" and not trail:
                return None
            key = trail.pop() if name == "undo" else request.POST[name]
            if not decide_text(session=session, key=key, status=status):
                return None
            if name != "undo":
                trail.append(key)
            return words, key
    return None


def _place(desk: Desk, at: str, *, decided: bool) -> dict[str, Any]:
    """Return which text is shown: the one `at` that key, or after a decision the next that is open; none when all are decided on."""
    keys = [sheet.key for sheet in desk.sheets]
    here = keys.index(at) if at in keys else None
    if decided or here is None:
        start = 0 if here is None else here + 1
        around = [*range(start, len(keys)), *range(start)]
        here = next((place for place in around if desk.sheets[place].status == ClassText.Status.PENDING), None)
    if here is None:
        return {"sheet": None}
    return {
        "sheet": desk.sheets[here],
        "number": here + 1,
        "before": keys[here - 1] if here else "",
        "after": keys[here + 1] if here + 1 < len(keys) else "",
    }
