"""Pages of homework and challenges. A seat is whoever holds its cookie; pages of a class hand over to render_pace and render_watch."""

import random
from collections.abc import Mapping
from datetime import timedelta

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django_htmx.http import HttpResponseClientRedirect

from game.accounts.identity import player_id_of
from game.accounts.models import Player
from game.classroom import pace, pace_selectors, rules
from game.classroom.access import for_teachers, own_seat, own_session, seat_at
from game.classroom.answers import Code
from game.classroom.challenge import NothingLeft, make_challenge, sit_down
from game.classroom.models import Answer, ClassCard, ClassSession, Seat
from game.classroom.seats import JoinRefused
from game.classroom.selectors import read_standings
from game.classroom.services import move_on_if_due
from game.guards import number_in, only_post
from game.limits import limited
from game.play.models import Round
from game.play.rules import Score, headline, is_token
from game.play.selectors import shown_text
from game.pool.models import Kind, Status

_rng = random.SystemRandom()
STEPS = {"day": timedelta(days=1), "week": timedelta(days=7)}


def render_pace(request: HttpRequest, session: ClassSession, seat: Seat | None) -> HttpResponse:
    """Render what a seat has before it: its next card, the reveal of `?card=TOKEN`, or its result; without a seat, a challenge's door."""
    now = timezone.now()
    session = move_on_if_due(session=session, now=now)
    if seat is None:
        return _render_invitation(request, session)
    seat.session = session
    if found := pace_selectors.find_answer(seat, request.GET.get("card", "")):
        return _render_reveal(request, seat, found)
    is_over = not pace.is_open(session, now)
    place = None if is_over else pace.show_card(seat_id=seat.pk, now=now)
    if place and place.card:
        return _render_card(request, seat, place, is_replaced=pace.GONE in request.GET)
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(request.get_full_path())
    return _render_result(request, seat, is_over=is_over)


@only_post
@never_cache
@limited("RATE_ANSWER")
def answer(request: HttpRequest, code: str, token: str) -> HttpResponse:
    """Store the first verdict of a seat on the card on its table, and reveal the truth: whoever holds the seat may."""
    verdict = request.POST.get("verdict")
    if verdict not in Kind.values:
        return HttpResponseBadRequest("Say human or machine in `verdict`.", content_type="text/plain")
    seat = own_seat(request, code.upper())
    if seat is None or seat.session.is_in_step:
        raise Http404("No such seat of yours.")
    became = pace.answer_card(seat_id=seat.pk, token=token, verdict=verdict, now=timezone.now())
    found = pace_selectors.find_answer(seat, token)
    if found is None:
        return _go_on(request, seat, became)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(f"{_page_of(seat.session)}?card={token}")
    return _render_reveal(request, seat, found, said=verdict)


def _page_of(session: ClassSession) -> str:
    return reverse("classroom:student", args=[session.code])


def _go_on(request: HttpRequest, seat: Seat, became: str) -> HttpResponse:
    """Lead a seat whose answer does not count to where it is, and have the page say why."""
    url = _page_of(seat.session)
    if became in (pace.GONE, Code.LATE):
        url = f"{url}?{became}"
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(url)
    place = pace.show_card(seat_id=seat.pk, now=timezone.now()) if became == pace.GONE else None
    return _render_card(request, seat, place, is_replaced=True) if place and place.card else HttpResponseClientRedirect(url)


def _render_card(request: HttpRequest, seat: Seat, place: pace.Place, *, is_replaced: bool) -> HttpResponse:
    assert place.card
    shown = {"position": place.position, "total": place.total, "is_replaced": is_replaced}
    return _render_table(request, seat, place.card, shown)


def _render_reveal(request: HttpRequest, seat: Seat, answer: Answer, *, said: str = "") -> HttpResponse:
    position, left = pace_selectors.read_place(answer), pace.count_open(seat)
    reveal = pace_selectors.read_reveal(answer)
    if said:
        reveal["first_verdict_kept"] = answer.verdict != said
    shown = {"position": position, "reveal": reveal, "is_last": not left}
    return _render_table(request, seat, answer.card, shown, left=left)


def _render_table(request: HttpRequest, seat: Seat, card: ClassCard, shown: Mapping[str, object], *, left: int = 0) -> HttpResponse:
    assert card.tweet
    session, score = seat.session, pace_selectors.read_score(seat)
    page = _page_of(session)
    context = {
        "session": session,
        "seat": seat,
        "round": {"category": card.tweet.category},
        "total": score.guessed + left,
        "score": score,
        "next_url": page,
        "answer_url": reverse("classroom:pace-answer", args=[session.code, card.token]),
        "aside": "classroom/pace/aside.html",
        **shown,
        "card": {"token": card.token, "position": shown["position"], **shown_text(card.tweet)},
    }
    is_part = request.htmx  # type: ignore[attr-defined]
    response = render(request, "play/table.html" if is_part else "classroom/pace/table.html", context)
    if is_part:
        # A reload shows what is on the table, the last reveal included; "back" leaves the class.
        response.headers["HX-Replace-Url"] = f"{page}?card={card.token}" if "reveal" in shown else page
    patch_vary_headers(response, ["HX-Request"])
    return response


def _render_result(request: HttpRequest, seat: Seat, *, is_over: bool) -> HttpResponse:
    """Render how it went for a seat, what fooled it, and how all stand where the teacher shows that."""
    session = seat.session
    is_challenge = session.mode == ClassSession.Mode.CHALLENGE
    maker = pace_selectors.find_maker(session) if is_challenge else None
    beside = maker if maker and maker != seat else None
    cards = pace_selectors.read_cards(seat, beside)
    fooled = [card for card in cards if not card["right"]]
    score = Score(right=len(cards) - len(fooled), guessed=len(cards))
    context = {
        "session": session,
        "seat": seat,
        "is_over": is_over,
        "is_late": is_over and Code.LATE in request.GET,
        "is_challenge": is_challenge,
        "beside": beside,
        "cards": cards,
        "fooled": fooled,
        "left": pace.count_open(seat),
        "score": score,
        "headline": headline(score, [card["kind"] for card in fooled]) if cards else "",
        "lines": read_standings(session) if session.show != rules.Show.NEVER else [],
        "categories": session.categories.filter(active=True),
        "share_url": request.build_absolute_uri(_page_of(session)),
    }
    return render(request, "classroom/pace/result.html", context)


def _render_invitation(request: HttpRequest, session: ClassSession, refused: str = "") -> HttpResponse:
    """Render the door of a challenge: nobody sits down by looking at it."""
    maker = pace_selectors.find_maker(session)
    context = {
        "session": session,
        "maker": maker,
        "score": pace_selectors.read_score(maker) if maker else None,
        "cards": session.cards.filter(skipped=False, tweet__status=Status.APPROVED).count(),
        "categories": session.categories.all(),
        "is_over": not pace.is_open(session, timezone.now()),
        "refused": refused,
    }
    return render(request, "classroom/pace/invitation.html", context, status=409 if refused else 200)


@only_post
@never_cache
@limited("RATE_JOIN")
def begin(request: HttpRequest, code: str) -> HttpResponse:
    """Give whoever presses the button a seat in a challenge: everybody with its link may."""
    session = get_object_or_404(ClassSession, code=code.upper(), mode=ClassSession.Mode.CHALLENGE)
    if own_seat(request, session.code):
        return redirect(_page_of(session))
    player_id = player_id_of(request)
    player = Player.objects.filter(pk=player_id).first() if player_id else None
    try:
        seat = sit_down(session=session, player=player, now=timezone.now(), rng=_rng)
    except JoinRefused as error:
        return _render_invitation(request, session, refused=str(error))
    return seat_at(request, session, seat)


@only_post
@never_cache
@limited("RATE_CHALLENGE")
def new_challenge(request: HttpRequest) -> HttpResponse:
    """Make a challenge of a finished round, or find the one that was made of it: the player of the round may."""
    token, player_id = request.POST.get("round", ""), player_id_of(request)
    round_ = (
        Round.objects.filter(token=token, player=player_id, finished_at__isnull=False).first() if is_token(token) and player_id else None
    )
    if round_ is None:
        raise Http404("No such round of yours.")
    try:
        session, seat = make_challenge(round_=round_, now=timezone.now(), rng=_rng)
    except NothingLeft:
        return render(request, "classroom/pace/nothing_left.html", {"round": round_}, status=409)
    return seat_at(request, session, seat)


def render_watch(request: HttpRequest, session: ClassSession) -> HttpResponse:
    """Render how far everybody is, for the teacher whose session it is: the caller has made sure of that."""
    now = timezone.now()
    session = move_on_if_due(session=session, now=now)
    seats = pace_selectors.read_progress(session)
    context = {
        "session": session,
        "seats": seats,
        "begun": sum(seat.has_begun for seat in seats),
        "finished": sum(seat.is_finished for seat in seats),
        "is_open": pace.is_open(session, now),
        "join_url": request.build_absolute_uri(_door_of(session)),
        "join_address": request.build_absolute_uri(reverse("classroom:join")).partition("://")[2],
    }
    is_part = request.htmx  # type: ignore[attr-defined]
    return render(request, "classroom/pace/progress.html" if is_part else "classroom/pace/watch.html", context)


def _door_of(session: ClassSession) -> str:
    """Return the address to pass on: whoever opens a challenge plays, for homework one joins."""
    if session.mode == ClassSession.Mode.CHALLENGE:
        return _page_of(session)
    return reverse("classroom:join", args=[session.code])


@for_teachers
@only_post
@limited("RATE_CLASS")
def extend(request: HttpRequest, code: str) -> HttpResponse:
    """Put off the date of an own-pace session that is still at `version` by a day or a week, as `by` says: its teacher may."""
    session = own_session(request, code)
    if session.is_in_step:
        raise Http404
    step, version = STEPS.get(request.POST.get("by", "")), number_in(request.POST.get("version", ""))
    if step and version == session.version and not pace.put_off(session=session, by=step, now=timezone.now()):
        messages.error(request, "It can't stay open longer than that: a year at most, and what has closed stays closed.")
    return redirect("classroom:host", session.code)
