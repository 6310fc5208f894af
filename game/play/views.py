"""Pages of the game. Everybody may play; a card answers only to the player it was dealt to."""

import random

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from game.accounts.identity import player_id_of, public_ref, remember_player
from game.accounts.models import Player
from game.accounts.services import attach_player, create_guest
from game.limits import limited, refuse_too_many
from game.play import rules, selectors
from game.play.drawing import NotEnoughTweets
from game.play.models import Card, Guess, Round
from game.play.services import (
    EVERY_CATEGORY,
    LEADERBOARD,
    find_card,
    find_open_round,
    find_replaced_card,
    show_next_card,
    start_round,
    submit_guess,
)
from game.pool.models import Category, Kind

# Not seedable from outside: who can predict the coin can predict the card.
_rng = random.SystemRandom()


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the categories and how to play: everybody may."""
    categories = list(Category.objects.filter(active=True))
    playable = selectors.playable_categories(categories)
    player_id = player_id_of(request)
    name = Player.objects.filter(pk=player_id).values_list("name", flat=True).first() if player_id else None
    context = {
        "categories": [{"category": category, "ready": category.pk in playable} for category in categories],
        "player_name": name or "",
    }
    return render(request, "home.html", context)


@never_cache
@require_safe
def play_round(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the player's next card in a category, dealing a round where none is open: everybody may.

    Of a category that is off, say that it is closed. With `?card=TOKEN`, show the reveal of that
    card: where a browser without scripts lands after its guess.
    """
    category = get_object_or_404(Category, slug=slug)
    player_id = player_id_of(request)
    if token := request.GET.get("card"):
        card = find_card(token=token, player_id=player_id) if rules.is_token(token) else None
        if card is None or not hasattr(card, "guess"):
            return redirect("play:round", slug)
        return _render_table(request, card, revealed=True)
    if not category.active:
        return _closed(request, category)
    now = timezone.now()
    open_round = find_open_round(player_id=player_id, category=category) if player_id else None
    try:
        card = show_next_card(round_=open_round, now=now, rng=_rng) if open_round else None
        if open_round is None or card is None:
            # Only a new round is limited: a class behind one address may turn its cards as fast as it reads.
            if refusal := refuse_too_many(request, "RATE_START"):
                return refusal
            # Not left to the draw: were a round dealt only when its coins suit the pool, they would not be fair.
            if category.pk not in selectors.playable_categories([category]):
                return _not_ready(request, category)
            if player_id is None or not Player.objects.filter(pk=player_id).exists():
                player_id = _new_player(request).pk
            open_round = start_round(player_id=player_id, category=category, now=now, rng=_rng)
            card = show_next_card(round_=open_round, now=now, rng=_rng)
    except NotEnoughTweets:
        return _not_ready(request, category)
    assert player_id
    if card is None:  # another tab has just guessed the last one
        return redirect("play:result", open_round.token)
    gone = request.GET.get("gone", "")
    is_replaced = rules.is_token(gone) and find_replaced_card(token=gone, player_id=player_id) is not None
    response = _render_table(request, card, revealed=False, round_=open_round, is_replaced=is_replaced)
    remember_player(response, player_id)
    return response


def _new_player(request: HttpRequest) -> Player:
    # Somebody signed in whose browser lost the player's cookie plays on as themselves.
    if isinstance(request.user, User):
        return attach_player(user=request.user, guest_id=None)
    return create_guest()


def _not_ready(request: HttpRequest, category: Category) -> HttpResponse:
    if request.htmx:  # type: ignore[attr-defined]  # a fragment has no place for it
        return HttpResponseClientRedirect(request.get_full_path())
    response = render(request, "play/not_ready.html", {"category": category}, status=503)
    response.headers["Retry-After"] = "30"
    return response


def _closed(request: HttpRequest, category: Category) -> HttpResponse:
    """Say that a category is off, and where its player's round is kept: 404, as it may be on again, and a crawler need not know it."""
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(request.get_full_path())
    player_id = player_id_of(request)
    open_round = find_open_round(player_id=player_id, category=category) if player_id else None
    others = list(Category.objects.filter(active=True))
    playable = selectors.playable_categories(others)
    context = {
        "category": category,
        "round": open_round,
        "score": selectors.read_score(open_round.pk) if open_round else None,
        "others": [other for other in others if other.pk in playable],
    }
    return render(request, "play/closed.html", context, status=404)


@never_cache
@require_POST
@limited("RATE_GUESS")
def guess(request: HttpRequest, token: str) -> HttpResponse:
    """Store the first verdict on a card and reveal the truth: the player who was dealt the card may.

    Asked again, it answers with what was stored the first time.
    """
    verdict = request.POST.get("verdict")
    if verdict not in Kind.values:
        return HttpResponseBadRequest("Say human or machine in `verdict`.", content_type="text/plain")
    card = find_card(token=token, player_id=player_id_of(request))
    if card is None or not (submit_guess(card=card, verdict=verdict, now=timezone.now()) or Guess.objects.filter(card=card).exists()):
        return _go_on_elsewhere(request, token)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(_reveal_url(card))
    return _render_table(request, card, revealed=True, said=verdict)


def _go_on_elsewhere(request: HttpRequest, token: str) -> HttpResponse:
    """Lay the card before a player whose page still shows the tweet that it had before, and say so."""
    replaced = find_replaced_card(token=token, player_id=player_id_of(request))
    if replaced is None:
        raise Http404("No such card of yours.")
    url = f"{reverse('play:round', args=[replaced.round.category.slug])}?gone={token}"
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(url)
    try:
        card = show_next_card(round_=replaced.round, now=timezone.now(), rng=_rng)
    except NotEnoughTweets:
        card = None
    if card is None:
        return HttpResponseClientRedirect(url)
    return _render_table(request, card, revealed=False, round_=replaced.round, is_replaced=True)


def _reveal_url(card: Card) -> str:
    return f"{reverse('play:round', args=[card.round.category.slug])}?card={card.token}"


def _render_table(
    request: HttpRequest, card: Card, *, revealed: bool, round_: Round | None = None, said: str | None = None, is_replaced: bool = False
) -> HttpResponse:
    """Render the card as a page, or as the fragment that htmx asks for; `said` is the verdict just posted.

    `is_replaced` tells that the tweet on which it was posted has left the game.
    """
    round_ = round_ or card.round
    is_last = revealed and card.position == rules.CARDS_PER_ROUND
    score, reveal = selectors.read_score_and_reveal(card) if revealed else (selectors.read_score(round_.pk), None)
    if reveal and said:
        reveal["first_verdict_kept"] = reveal["verdict"] != said
    context = {
        "round": round_,
        "card": {"token": card.token, "position": card.position, **selectors.shown_text(card.tweet)},
        "total": rules.CARDS_PER_ROUND,
        "score": score,
        "reveal": reveal,
        "is_last": is_last,
        "is_replaced": is_replaced,
        "answer_url": reverse("play:guess", args=[card.token]),
        "next_url": reverse("play:result", args=[round_.token]) if is_last else reverse("play:round", args=[round_.category.slug]),
    }
    template = "play/table.html" if request.htmx else "play/round.html"  # type: ignore[attr-defined]
    response = render(request, template, context)
    if request.htmx:  # type: ignore[attr-defined]
        # A reload shows what is on the table, the last reveal included; "back" leaves the game.
        response.headers["HX-Replace-Url"] = _reveal_url(card) if revealed else reverse("play:round", args=[round_.category.slug])
    # The fragment and the page share one address.
    patch_vary_headers(response, ["HX-Request"])
    return response


@never_cache
@require_safe
def result(request: HttpRequest, token: str) -> HttpResponse:
    """Show how a round went: everybody with the link may see the score, its player also the tweets.

    Its player sees what was guessed so far, too, if the category was switched off meanwhile.
    """
    round_ = get_object_or_404(Round.objects.select_related("player", "category"), token=token)
    cards = selectors.read_result(round_)
    is_owner = round_.player_id == player_id_of(request)
    if round_.finished_at is None:
        if not is_owner:
            raise Http404("This round is still being played.")
        if round_.category.active or not cards:
            return redirect("play:round", round_.category.slug)
    fooled = [card for card in cards if not card["right"]]
    score = rules.Score(right=len(cards) - len(fooled), guessed=len(cards))
    context = {
        "round": round_,
        "player_name": round_.player.name,
        "score": score,
        "headline": rules.headline(score, [card["kind"] for card in fooled]),
        # Whoever was sent the link may still be dealt these tweets.
        "cards": cards if is_owner else [{"kind": card["kind"], "right": card["right"]} for card in cards],
        "fooled": fooled if is_owner else [],
        "is_owner": is_owner,
        "share_url": request.build_absolute_uri(),
    }
    return render(request, "play/result.html", context)


@never_cache
@require_safe
def leaderboard(request: HttpRequest, slug: str | None = None) -> HttpResponse:
    """Show who tells best, live: everybody may."""
    category = get_object_or_404(Category, slug=slug) if slug else None
    if category and not category.active:
        return _closed(request, category)
    player_id = player_id_of(request)
    context = {
        **selectors.read_board(category),
        "categories": Category.objects.filter(active=True),
        "live_url": f"/live/{LEADERBOARD}/{category.slug if category else EVERY_CATEGORY}/",
        "my_ref": public_ref(player_id) if player_id else "",
    }
    return render(request, "leaderboard.html", context)
