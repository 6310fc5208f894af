"""Whose request it is: of each session its own teacher's, of each seat that of whoever holds its cookie."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from game.classroom.host_selectors import find_own_session
from game.classroom.identity import remember_seat, seat_token_in
from game.classroom.models import ClassSession, Seat
from game.classroom.seats import find_seat
from game.guards import only_with, signed_in

for_teachers = only_with("classroom.hold_class", home="classroom:index")


def own_session(request: HttpRequest, code: str) -> ClassSession:
    """Return the session with this code, whatever its case, of the teacher who asks; raises Http404 where it is none of theirs."""
    session = find_own_session(code=code.upper(), teacher=signed_in(request))
    if session is None:
        raise Http404("No such class of yours.")
    return session


def own_seat(request: HttpRequest, code: str) -> Seat | None:
    """Return the seat that the browser holds in the class with this code, with its session."""
    token = seat_token_in(request.COOKIES, code)
    return find_seat(code=code, token=token) if token else None


def seat_at(request: HttpRequest, session: ClassSession, seat: Seat) -> HttpResponse:
    """Lead a browser to the page of a seat, which is its own from now on."""
    response = redirect("classroom:student", session.code)
    remember_seat(response, request.COOKIES, session.code, seat.token)
    return response
