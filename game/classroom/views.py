"""Students' pages of a class. Everybody with its code may join; a seat belongs to whoever holds its cookie."""

import random

from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from game.classroom import rules
from game.classroom.access import own_seat, seat_at
from game.classroom.answers import Code, GivenAnswer, store_answers
from game.classroom.frames import TROUBLES, render_trouble, student_frames
from game.classroom.identity import seat_token_in
from game.classroom.models import ClassSession, Seat
from game.classroom.pace_views import render_pace
from game.classroom.seats import JoinRefused, find_refusal, find_seat_by_code, join_class, offer_name
from game.classroom.selectors import find_session
from game.classroom.services import move_on_if_due
from game.guards import only_post
from game.limits import refuse_too_many
from game.play.rules import is_token
from game.pool.models import Kind

_rng = random.SystemRandom()
# A name that was shown is the one that counts, and nobody makes up one where names are given.
_signer = Signer(salt="birdorbot.class-name")
# Where a page's own part belongs: frames bring it after the rest, a page has it in its place at once.
_PLACE = '<div id="mine"></div>'
_NO_CODE = "That is no code: six letters and digits, such as BCD 347."
_NO_SEAT = "Nobody here has that seat code. Look at it once more."


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def enter_code(request: HttpRequest) -> HttpResponse:
    """Ask for a class's code, and lead there: everybody may."""
    if request.method != "POST":
        return render(request, "classroom/join.html")
    if refusal := refuse_too_many(request, "RATE_JOIN"):
        return refusal
    typed = request.POST.get("code", "")[:40]
    code = rules.read_code(typed)
    if code and find_session(code):
        return redirect("classroom:join", code)
    trouble = f"There is no class {code}. Look at the board once more." if code else _NO_CODE
    return render(request, "classroom/join.html", {"typed": typed, "trouble": trouble}, status=422)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, code: str) -> HttpResponse:
    """Give somebody a seat in a class, or the one that they had on another device: everybody may."""
    plain = rules.read_code(code)
    session = find_session(plain) if plain else None
    if session is None:
        return _no_class(request, code)
    if own_seat(request, session.code):
        return redirect("classroom:student", session.code)
    if request.method != "POST":
        return _show_door(request, session) if code == session.code else redirect("classroom:join", session.code)
    return _sit_again(request, session) if "seat_code" in request.POST else _sit_down(request, session)


def _sit_down(request: HttpRequest, session: ClassSession) -> HttpResponse:
    if refusal := refuse_too_many(request, "RATE_JOIN"):
        return refusal
    try:
        offered = _signer.unsign(request.POST.get("offer", ""))
    except BadSignature:
        offered = ""
    typed = "" if "offered" in request.POST else request.POST.get("name", "")
    try:
        seat = join_class(session=session, name=typed, now=timezone.now(), rng=_rng, offered=offered)
    except JoinRefused as refused:
        return _show_door(request, session, typed=typed, trouble=str(refused))
    return seat_at(request, session, seat)


def _sit_again(request: HttpRequest, session: ClassSession) -> HttpResponse:
    if refusal := refuse_too_many(request, "RATE_SEAT_CODE"):
        return refusal
    typed = request.POST["seat_code"][:40]
    seat = find_seat_by_code(session=session, seat_code=typed)
    return seat_at(request, session, seat) if seat else _show_door(request, session, typed_seat=typed, seat_trouble=_NO_SEAT)


def _show_door(request: HttpRequest, session: ClassSession, **told: str) -> HttpResponse:
    """Offer a seat, with what was wrong with the last try in `told`; where none is to be had, say why."""
    context = {"session": session, **told}
    if refusal := find_refusal(session=session, now=timezone.now()):
        heading, _, explanation = str(refusal).partition(". ")
        context |= {"code": refusal.code, "heading": f"{heading}.", "explanation": explanation}
        return render(request, "classroom/join_refused.html", context, status=409)
    offered = offer_name(session=session, rng=_rng)
    context |= {"offered": offered, "offer": _signer.sign(offered)}
    return render(request, "classroom/join_class.html", context, status=422 if told else 200)


@never_cache
@require_safe
def student(request: HttpRequest, code: str) -> HttpResponse:
    """Show a seat's page: whoever holds it may, others are led to the door."""
    session = find_session(code.upper())
    if session is None:
        return _no_class(request, code)
    if code != session.code:
        return redirect("classroom:student", session.code)
    seat = own_seat(request, session.code)
    if seat is None and seat_token_in(request.COOKIES, session.code):
        return _show_removed(request, session)
    if not session.is_in_step and (seat or session.mode == ClassSession.Mode.CHALLENGE):
        return render_pace(request, session, seat)
    if seat is None:
        return redirect("classroom:join", session.code)
    session = move_on_if_due(session=session, now=timezone.now())
    frames = student_frames(session=session, tokens=[seat.token])
    trouble = render_trouble("")
    shared = frames.shared.removesuffix(trouble).replace(_PLACE, frames.personal.get(seat.token, _PLACE))
    context = {"session": session, "seat": seat, "stage": mark_safe(shared), "clock": frames.fresh(), "trouble": trouble}  # noqa: S308
    return render(request, "classroom/student/page.html", context)


@never_cache
@require_safe
def state(request: HttpRequest, code: str) -> HttpResponse:
    """Answer with what the seat's page shows now, for those whom no websocket reaches: whoever holds the seat may."""
    session, seat = _find_both(request, code)
    return _show_state(session, seat) if session and seat else _go_away(request, session, code)


@only_post
@never_cache
def answer(request: HttpRequest, code: str) -> HttpResponse:
    """Store the first verdict on the card on the table, and answer with what the page shows now: whoever holds the seat may."""
    if refusal := refuse_too_many(request, "RATE_ANSWER"):
        return refusal
    session, seat = _find_both(request, code)
    if session is None or seat is None:
        return _go_away(request, session, code)
    card, verdict = request.POST.get("card", ""), request.POST.get("verdict", "")
    if verdict not in Kind.values or not is_token(card):
        return HttpResponseBadRequest("Name a card in `card`, and say human or machine in `verdict`.", content_type="text/plain")
    given = GivenAnswer(seat_token=seat.token, card_token=card, verdict=verdict, at=timezone.now())
    (outcome,) = store_answers(session_id=session.pk, answers=[given])
    if outcome.code == Code.NO_SEAT:
        return _go_away(request, session, code)
    return _show_state(session, seat, trouble=outcome.code if outcome.code in TROUBLES else "")


def _find_both(request: HttpRequest, code: str) -> tuple[ClassSession | None, Seat | None]:
    session = find_session(code.upper())
    return (session, own_seat(request, session.code)) if session and session.is_in_step else (None, None)


def _show_state(session: ClassSession, seat: Seat, trouble: str = "") -> HttpResponse:
    """Answer with a frame, as a websocket would bring it."""
    # As it is by now: what has just come in may have turned the card.
    session = find_session(session.code) or session
    session = move_on_if_due(session=session, now=timezone.now())
    frames = student_frames(session=session, tokens=[seat.token])
    parts = (frames.shared, frames.personal.get(seat.token, ""), frames.fresh(), render_trouble(trouble) if trouble else "")
    return HttpResponse("".join(parts))


def _go_away(request: HttpRequest, session: ClassSession | None, code: str) -> HttpResponse:
    return _show_removed(request, session) if session else _no_class(request, code)


def _show_removed(request: HttpRequest, session: ClassSession) -> HttpResponse:
    return render(request, "classroom/student/removed.html", {"code": session.code}, status=403)


def _no_class(request: HttpRequest, code: str) -> HttpResponse:
    """Say that there is no such class; whoever tries one code after another is told to wait."""
    if refusal := refuse_too_many(request, "RATE_JOIN"):
        return refusal
    return render(request, "classroom/no_class.html", {"code": code[:40].upper()}, status=404)
