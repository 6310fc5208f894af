"""The queue: moderators decide which tweets are played. Nobody else may."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from game.guards import line_in, number_in, only_post, only_with, signed_in
from game.limits import limited
from game.moderation import desk, leases, queue
from game.moderation.cards import Card, to_card
from game.moderation.queue import Decision, Outcome
from game.moderation.rules import REASONS, Verdict
from game.moderation.search import BadFilter, Filters
from game.moderation.selectors import read_items
from game.moderation.tokens import BadToken, tweet_id_of, tweet_token
from game.pool.models import Category

PERMISSION = "pool.moderate_tweet"
NO_REASON = "Nothing was rejected: choose why first."
# Tweets that a page has ahead, and rows of a list.
AHEAD, ROWS = 10, 50
for_moderators = only_with(PERMISSION, home="moderation:index")


@for_moderators
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Show what waits where, how far people agree, and what was done to many at once: moderators may."""
    rows = desk.read_waiting()
    context = {
        "rows": rows,
        "pairs": [(row.category, pair) for row in rows for pair in row.pairs],
        "bulk_actions": desk.read_bulk_actions(),
        "pace": desk.read_pace(by=signed_in(request), now=timezone.now()),
    }
    return render(request, "moderation/index.html", context)


@for_moderators
@require_safe
def show_queue(request: HttpRequest, slug: str) -> HttpResponse:
    """Lay the next tweets of a category before a moderator, one at a time, or with `?view=list` as a list.

    Blind, unless the filters tell who wrote them, or `?show=<tweet>` asks for one.
    """
    category, by, now = get_object_or_404(Category, slug=slug), signed_in(request), timezone.now()
    try:
        filters = _filters(request)
    except BadFilter as error:
        messages.error(request, str(error))
        return redirect("moderation:queue", slug)
    view = "list" if request.GET.get("view") == "list" else "one"
    cards = _take(request, category, filters, ROWS if view == "list" else AHEAD)
    asked = next((card for card in cards if card.token == request.GET.get("show")), None)
    if asked:
        cards = [*_read([asked.token], blind=False), *(card for card in cards if card is not asked)]
    context = {
        "category": category,
        "cards": cards,
        "view": view,
        "reasons": REASONS,
        "waiting": desk.add_up(queue.remaining(category=category, filters=filters)),
        "before_others": 0 if cards else desk.count_before_others(category=category, by=by, now=now),
        "filters_in_words": desk.filters_in_words(filters.spell()),
        "pace": desk.read_pace(by=by, now=now),
        "urls": _addresses(category, filters, view, request.GET.get("before", "")),
    }
    return render(request, "moderation/queue.html", context)


def _filters(request: HttpRequest) -> Filters:
    """Return what narrows the queue; the category is the page's, and what waits is pending."""
    return Filters.parse({name: value for name, value in request.GET.dict().items() if name not in ("category", "status")})


def _addresses(category: Category, filters: Filters, view: str, before: str) -> dict[str, str]:
    """Return where the page's parts are, each with the filters that the page has."""

    def spell(name: str, **more: str) -> str:
        query = urlencode({**filters.spell(), **more})
        return reverse(f"moderation:{name}", args=[] if name == "search" else [category.slug]) + (f"?{query}" if query else "")

    here = {"view": view} if view == "list" else {}
    parts = {name: spell(name, **here) for name in ("queue", "next", "decide", "keep", "release", "origin")}
    parts["undo"] = spell("undo", **here, **({"before": before} if number_in(before) else {}))
    other = spell("queue") if view == "list" else spell("queue", view="list")
    return parts | {"other_view": other, "search": spell("search", category=category.slug), "show": spell("queue", **here, show="")}


def _take(request: HttpRequest, category: Category, filters: Filters, count: int) -> list[Card]:
    items = queue.take(
        by=signed_in(request), category=category, filters=filters, count=count, now=timezone.now(), blind=not filters.tells_origin
    )
    return [to_card(item) for item in items]


def _read(tokens: list[str], *, blind: bool) -> list[Card]:
    return [to_card(item) for item in read_items([tweet_id_of(token) for token in tokens], blind=blind)]


@for_moderators
@only_post
@limited("RATE_MODERATION")
def next_ones(request: HttpRequest, slug: str) -> HttpResponse:
    """Lease more tweets than the page has, and return them as the page holds them: moderators may. POST `tweet` for each it has."""
    category = get_object_or_404(Category, slug=slug)
    known = set(request.POST.getlist("tweet"))
    try:
        filters = _filters(request)
    except BadFilter as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain")
    cards = [card for card in _take(request, category, filters, AHEAD + len(known)) if card.token not in known]
    return render(request, "moderation/queue/cards.html", {"category": category, "cards": cards[:AHEAD], "all_hidden": True})


@for_moderators
@only_post
@limited("RATE_MODERATION")
def decide(request: HttpRequest, slug: str) -> HttpResponse:
    """Decide on a tweet, or on those that are ticked: moderators may.

    POST `decide`: approve, reject or flag, and with a token behind it this one tweet instead of each `tweet`; `reason`, a digit,
    which alone rejects; `saw=on` where the origin was shown. Whoever accepts JSON is told what became of it.
    """
    if wrong := _refuse_another(request):
        return wrong
    said, _, alone = request.POST.get("decide", "reject" if request.POST.get("reason") else "").partition(" ")
    try:
        verdict, ids = Verdict(said), [tweet_id_of(token) for token in ([alone] if alone else request.POST.getlist("tweet"))]
        is_seen = request.POST.get("saw") == "on" or _filters(request).tells_origin
    except (BadToken, BadFilter, ValueError):
        return HttpResponseBadRequest("Say approve, reject or flag, and which tweet.", content_type="text/plain")
    reason = line_in(request.POST.get("reason", ""), longest=180) if verdict == Verdict.REJECT else ""
    if verdict == Verdict.REJECT and not reason and not _wants_json(request):
        messages.error(request, NO_REASON)
        return redirect(_back(request, slug))
    decisions = [
        queue.decide(tweet_id=pk, by=signed_in(request), verdict=verdict, reason=reason, now=timezone.now(), origin_shown=is_seen)
        for pk in ids
    ]
    if _wants_json(request) and len(decisions) == 1:
        return _tell(decisions[0])
    if not decisions:
        messages.error(request, "Tick the tweets first.")
    elif len(decisions) == 1:
        say(request, decisions[0])
    else:
        kept = [decision for decision in decisions if decision.outcome == Outcome.REFUSED]
        messages.success(request, f"{len(decisions) - len(kept)} of {len(decisions)} done.")
        for decision in kept[:5]:
            say(request, decision)
    return redirect(_back(request, slug))


@for_moderators
@only_post
@limited("RATE_MODERATION")
def undo(request: HttpRequest, slug: str) -> HttpResponse:
    """Undo one's last decision, or with `only=<tweet>` the one on this tweet, and lay it before oneself again: moderators may.

    One that can't be undone is stepped over with `before`, which its answer names.
    """
    if wrong := _refuse_another(request):
        return wrong
    token = request.POST.get("only", "")
    try:
        tweet_id = tweet_id_of(token) if token else None
    except BadToken:
        return HttpResponseBadRequest("There is no such tweet.", content_type="text/plain")
    before = None if token else number_in(request.GET.get("before", ""))
    decision = queue.undo(by=signed_in(request), now=timezone.now(), tweet_id=tweet_id, before=before)
    if not _wants_json(request):
        say(request, decision)
        return redirect(_back(request, slug, before=decision.event_id if decision.outcome == Outcome.REFUSED else None))
    if decision.outcome == Outcome.REFUSED or decision.tweet_id is None:
        return _tell(decision)
    category = Category.objects.get(tweets=decision.tweet_id)
    context: dict[str, Any] = {"category": category, "cards": _read([tweet_token(decision.tweet_id)], blind=True), "all_hidden": True}
    return _tell(decision, item=render_to_string("moderation/queue/cards.html", context))


@for_moderators
@only_post
@limited("RATE_MODERATION")
def keep(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep the tweets of an open page from others for some minutes more: moderators may. Return those that are lost."""
    try:
        ids = [tweet_id_of(token) for token in request.POST.getlist("tweet")]
    except BadToken:
        return HttpResponseBadRequest("There is no such tweet.", content_type="text/plain")
    kept = leases.keep_leases(by=signed_in(request), tweet_ids=ids, now=timezone.now())
    return JsonResponse({"lost": [tweet_token(pk) for pk in ids if pk not in kept]})


@for_moderators
@only_post
def release(request: HttpRequest, slug: str) -> HttpResponse:
    """Give back what lies before oneself, at once: moderators may."""
    count = leases.release_leases(by=signed_in(request))
    messages.success(request, f"{count} tweet{'' if count == 1 else 's'} that lay before you are free for others again.")
    return redirect("moderation:index")


@for_moderators
@require_safe
def origin(request: HttpRequest, slug: str) -> HttpResponse:
    """Say who wrote `?tweet=`: moderators may ask."""
    try:
        cards = _read([request.GET.get("tweet", "")], blind=False)
    except BadToken:
        cards = []
    if not cards:
        return HttpResponseBadRequest("There is no such tweet.", content_type="text/plain")
    return render(request, "moderation/queue/origin.html", {"origin": cards[0].origin})


def _refuse_another(request: HttpRequest) -> HttpResponse | None:
    """Refuse what was decided on a page of somebody who was signed in before."""
    if request.POST.get("who", str(request.user.pk)) == str(request.user.pk):
        return None
    return JsonResponse({"outcome": "refused", "words": "Somebody else is signed in."}, status=409)


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept") == "application/json"


def _tell(decision: Decision, **more: str) -> JsonResponse:
    token = "" if decision.tweet_id is None else tweet_token(decision.tweet_id)
    outcome = "refused" if decision.outcome == Outcome.REFUSED else "done"
    return JsonResponse({"outcome": outcome, "words": decision.said, "tweet": token, "event": decision.event_id, **more})


def say(request: HttpRequest, decision: Decision) -> None:
    """Tell on the next page what became of a tweet."""
    (messages.error if decision.outcome == Outcome.REFUSED else messages.success)(request, decision.said)


def _back(request: HttpRequest, slug: str, before: int | None = None) -> str:
    query = request.GET.copy()
    for name in ("show", "before"):
        query.pop(name, None)
    if before is not None:
        query["before"] = str(before)
    return reverse("moderation:queue", args=[slug]) + (f"?{query.urlencode()}" if query else "")
