"""The page on which players report a tweet: those who were dealt it, once they know who wrote it."""

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from game.accounts.identity import player_id_of
from game.limits import limited
from game.moderation.reports import REASONS, report_tweet
from game.play.selectors import shown_text
from game.play.services import find_card


class ReportForm(forms.Form):
    """What is wrong with a tweet."""

    reason = forms.ChoiceField(
        label="What is wrong with it?", choices=list(REASONS.items()), error_messages={"required": "Choose what is wrong with it."}
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_REPORT")
def report(request: HttpRequest, token: str) -> HttpResponse:
    """Ask what is wrong with a tweet, and note it, once: the player may who was dealt the card and has guessed on it."""
    card = find_card(token=token, player_id=player_id_of(request))
    # Before the guess there is nothing here, whatever the tweet.
    if card is None or not hasattr(card, "guess"):
        raise Http404("No such card of yours.")
    form = ReportForm(request.POST or None)
    category, round_ = card.round.category, card.round
    back = reverse("play:result", args=[round_.token]) if round_.finished_at else reverse("play:round", args=[category.slug])
    context = {"card": {"token": token, **shown_text(card.tweet)}, "category": category, "form": form, "back": back}
    if request.method == "POST" and form.is_valid():
        context["is_new"] = report_tweet(card=card, reason=form.cleaned_data["reason"], now=timezone.now())
        return render(request, "moderation/reported.html", context)
    return render(request, "moderation/report.html", context, status=422 if form.is_bound else 200)
