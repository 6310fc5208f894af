"""Pages on which moderators look for tweets, decide on all that they found, and settle what two disagree on. Nobody else may."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from game.guards import line_in, number_in, only_post, signed_in
from game.limits import limited
from game.moderation import bulk, desk, search
from game.moderation.agreement import disagreements, may_settle, settle
from game.moderation.cards import to_card
from game.moderation.forms import DONE, FilterForm
from game.moderation.rules import REASONS, Verdict
from game.moderation.search import BadFilter, Filters
from game.moderation.selectors import read_items
from game.moderation.tokens import BadToken, tweet_id_of
from game.moderation.views import NO_REASON, for_moderators, say
from game.pool.models import BulkAction, Category, Status, Tweet

# One, and several.
_LEFT = {
    bulk.Left.DISPUTED: ("is disputed", "are disputed"),
    bulk.Left.SECOND: ("waits for a second person", "wait for a second person"),
    bulk.Left.DRAWN: ("is drawn for two people", "are drawn for two people"),
    bulk.Left.LEASED: ("lies before another moderator just now", "lie before other moderators just now"),
}
_SETTLING = {verdict.value: verdict for verdict in (Verdict.APPROVE, Verdict.REJECT)}


@for_moderators
@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """Show tweets that the filters find, the newest first, a page below `?below=`: moderators may. Who wrote them only if they tell it."""
    return _show_search(request, request.GET.dict())


def _show_search(request: HttpRequest, given: dict[str, str], trouble: str = "") -> HttpResponse:
    """Show what the filters find; `trouble` says why nothing was done with all of them."""
    form = FilterForm(given)
    filters = form.read()
    page = search.find(filters=filters, below=number_in(given.get("below", ""))) if filters else None
    items = read_items([tweet.pk for tweet in page.tweets], blind=not filters.tells_origin) if page and filters else []
    spelled = filters.spell() if filters else {}
    context = {
        "form": form,
        "found": [{"tweet": tweet, "card": to_card(item)} for tweet, item in zip(page.tweets if page else [], items, strict=True)],
        "count": search.count(Tweet.objects.filter(filters.to_q())) if filters else None,
        "more": f"?{urlencode(spelled | {'below': str(page.below)})}" if page and page.below else "",
        "done": DONE,
        "spelled": spelled,
        "is_narrowed": bool(spelled.keys() - {"words"} or form.errors),
        "chosen": desk.filters_in_words(spelled),
        "queue_url": _queue_of(filters) if filters else "",
        "trouble": trouble,
    }
    return render(request, "moderation/search.html", context, status=200 if filters and not trouble else 422)


def _queue_of(filters: Filters) -> str:
    """Return where those that wait are decided one at a time; nothing if the filters choose no category, or none that waits."""
    if not filters.category or filters.status not in ("", Status.PENDING):
        return ""
    spelled = {name: value for name, value in filters.spell().items() if name not in ("category", "status")}
    return reverse("moderation:queue", args=[filters.category]) + (f"?{urlencode(spelled)}" if spelled else "")


@for_moderators
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_MODERATION")
def change_all(request: HttpRequest) -> HttpResponse:
    """Show what a bulk action would do, and do it: moderators may. POST the `token` of what was shown."""
    given = request.POST if request.method == "POST" else request.GET
    after, by, now = given.get("after", ""), signed_in(request), timezone.now()
    try:
        filters = Filters.parse(given)
        if after not in DONE:
            raise BadFilter(f"after: “{after[:40]}” is none of {', '.join(DONE)}.")
    except BadFilter as error:
        return _show_search(request, given.dict(), trouble=f"Nothing was done. {error}")
    trouble = ""
    if request.method == "POST":
        try:
            reason = line_in(given.get("reason", ""), longest=200)
            action = bulk.apply(by=by, filters=filters, after=after, reason=reason, token=given.get("token", ""), now=now)
        except bulk.BulkRefused as error:
            trouble = str(error)
        else:
            messages.success(request, f"{action.events.count():,} changed: {after}. It can be undone as a whole.")
            return redirect(f"{reverse('moderation:index')}#bulk-{action.pk}")
    preview = bulk.preview(filters=filters, by=by, after=after, now=now, blind=not filters.tells_origin)
    context = {
        "preview": preview,
        "left": [(count, _LEFT[why][count > 1]) for why, count in preview.left.items()],
        "cards": [to_card(item) for item in preview.samples],
        "after": after,
        "done": DONE[after],
        "spelled": filters.spell(),
        "chosen": desk.filters_in_words(filters.spell()),
        "trouble": trouble,
        "back": f"{reverse('moderation:search')}?{urlencode(filters.spell())}",
    }
    return render(request, "moderation/bulk.html", context, status=409 if trouble else 200)


@for_moderators
@only_post
@limited("RATE_MODERATION")
def undo_all(request: HttpRequest, action_id: int) -> HttpResponse:
    """Put back all that one bulk action changed: moderators may, also what another did."""
    action = get_object_or_404(BulkAction, pk=action_id)
    try:
        undone, kept = bulk.undo_bulk(by=signed_in(request), action=action)
    except bulk.BulkRefused as error:
        messages.error(request, str(error))
    else:
        rest = f" {kept:,} stay as they are: somebody has changed them since." if kept else ""
        messages.success(request, f"{undone:,} are what they were before.{rest}")
    return redirect(f"{reverse('moderation:index')}#bulk-{action.pk}")


@for_moderators
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_MODERATION")
def disputes(request: HttpRequest) -> HttpResponse:
    """Show tweets on which two people disagree, and settle one: moderators may, a third one. `?category=` narrows."""
    by = signed_in(request)
    if request.method == "POST":
        try:
            verdict, pk = _SETTLING[request.POST.get("decide", "")], tweet_id_of(request.POST.get("tweet", ""))
        except (BadToken, KeyError):
            return HttpResponseBadRequest("Say approve or reject, and which tweet.", content_type="text/plain")
        reason = line_in(request.POST.get("reason", ""), longest=180) if verdict == Verdict.REJECT else ""
        if verdict == Verdict.REJECT and not reason:
            messages.error(request, NO_REASON)
            return redirect(request.get_full_path())
        say(request, settle(tweet_id=pk, by=by, verdict=verdict, reason=reason, now=timezone.now()))
        return redirect(request.get_full_path())
    chosen = Category.objects.filter(slug=slug) if (slug := request.GET.get("category")) else Category.objects.all()
    groups = [
        {"category": category, "rows": [(to_card(item), may_settle(item=item, by=by)) for item in disagreements(category=category)]}
        for category in chosen
    ]
    context = {"groups": [group for group in groups if group["rows"]], "reasons": REASONS}
    return render(request, "moderation/disagreements.html", context)
