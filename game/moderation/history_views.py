"""Pages of what was done, to one tweet and by everybody: moderators may look."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from game.downloads import stream_csv
from game.guards import line_in, number_in, only_post, signed_in
from game.limits import limited
from game.moderation.forms import DONE
from game.moderation.history import PAGE, WHAT, Query, read_history, read_log, write_csv
from game.moderation.queue import undo_event
from game.moderation.search import BadFilter
from game.moderation.single import CHANGES, NEEDS_REASON, change_tweet
from game.moderation.tokens import BadToken, tweet_id_of
from game.moderation.views import for_moderators, say
from game.pool.models import ModerationEvent, Tweet


@for_moderators
@require_safe
def show_log(request: HttpRequest) -> HttpResponse:
    """Show the log, the newest first: `who`, `since`, `until`, `what`; `below` for what is older. Moderators may."""
    given = {name: value for name in ("who", "since", "until", "what") if (value := request.GET.get(name, "").strip())}
    trouble = ""
    try:
        query = Query.parse(given)
        lines = read_log(query, below=number_in(request.GET.get("below", "")), count=PAGE + 1)
    except BadFilter as error:
        lines, trouble = [], str(error)
    context = {
        "lines": lines[:PAGE],
        "older": f"?{urlencode(given | {'below': str(lines[PAGE - 1].pk)})}" if len(lines) > PAGE else "",
        "query": urlencode(given),
        "given": given,
        "kinds": WHAT,
        "trouble": trouble,
    }
    return render(request, "moderation/log.html", context, status=422 if trouble else 200)


@for_moderators  # type: ignore[arg-type]  # what it guards may stream
@require_safe
def export_log(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Send the log as CSV, whole: the same filters. Moderators may."""
    try:
        query = Query.parse(request.GET.dict())
    except BadFilter as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    return stream_csv(write_csv(query), name="log.csv")


def _find(named: str) -> Tweet:
    """Return the tweet of that number, or with that token of the queue."""
    try:
        pk = int(named) if named.isdecimal() and len(named) < 13 else tweet_id_of(named)
    except BadToken as error:
        raise Http404 from error
    return get_object_or_404(Tweet.objects.select_related("category", "author"), pk=pk)


@for_moderators
@require_safe
def show_tweet(request: HttpRequest, tweet: str) -> HttpResponse:
    """Show all that happened to a tweet, and who wrote it: moderators may."""
    history = read_history(_find(tweet))
    status = history.tweet.status
    changes = [(after, DONE[after], after in NEEDS_REASON) for after in CHANGES[status]] if history.tweet.text else []
    return render(request, "moderation/tweet.html", {"history": history, "changes": changes})


@for_moderators
@only_post
@limited("RATE_MODERATION")
def change(request: HttpRequest, tweet: str) -> HttpResponse:
    """Give a tweet the status `after`, if it is `before`, for a `reason`: moderators may."""
    found, given = _find(tweet), request.POST
    reason = line_in(given.get("reason", ""), longest=180)
    before, after = given.get("before", ""), given.get("after", "")
    say(request, change_tweet(tweet_id=found.pk, by=signed_in(request), before=before, after=after, reason=reason, now=timezone.now()))
    return redirect("moderation:tweet", found.pk)


@for_moderators
@only_post
@limited("RATE_MODERATION")
def undo_step(request: HttpRequest, tweet: str) -> HttpResponse:
    """Undo the last step of a tweet, `event`, whoever did it: moderators may."""
    found, number = _find(tweet), number_in(request.POST.get("event", ""))
    if number is None:
        return HttpResponseBadRequest("Say which event.", content_type="text/plain")
    event = get_object_or_404(ModerationEvent, pk=number, tweet=found)
    say(request, undo_event(event=event, by=signed_in(request), now=timezone.now()))
    return redirect("moderation:tweet", found.pk)
