"""Pages on which moderators fetch posts, watch it, and take people out. Nobody else may."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from game.guards import line_in, number_in, only_post, only_with, signed_in
from game.limits import limited
from game.pool.models import Category
from scraping import selectors, words
from scraping.catalogue import SOURCES
from scraping.feeds import add_handles, drop_feed
from scraping.forms import RunForm, ScheduleForm, values_of, values_of_schedule
from scraping.handle_lists import HandlesError
from scraping.models import Feed, Schedule, ScrapeRun
from scraping.optouts import OptOutError, opt_out, read_opt_outs
from scraping.orders import CostsMoney, estimate_cost, place_order
from scraping.rules import Drop
from scraping.runs import ALL_RUNS, TOPIC, ScrapeError, cancel_run, forget_ban, set_schedule
from scraping.samples import newest_posts
from scraping.topics import PERMISSION

for_scrapers = only_with(PERMISSION, home="scraping:index")
SAMPLES = 5
POSTS_A_PAGE = 50
ACCOUNTS_A_PAGE = 100


@for_scrapers
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_SCRAPING")
def index(request: HttpRequest) -> HttpResponse:
    """Show runs, sources and categories, and start a run: moderators may. `?from=RUN` and `?category=SLUG` fill in the form."""
    cost = None
    if request.method == "POST":
        form = RunForm(request.POST)
        if form.is_valid():
            try:
                started = place_order(order=form.order(), by=signed_in(request))
            except HandlesError as error:
                form.add_error("handles", str(error))
            except ScrapeError as error:
                form.add_error(None, str(error))
            except CostsMoney as error:
                cost = error.estimate
                # What is sent along with the next click is what this page shows.
                form.data = {**request.POST.dict(), "sources": request.POST.getlist("sources"), "agreed": str(cost.dollars)}
                if form.cleaned_data["budget"] is None:
                    form.add_error("budget", "Say how many dollars it may cost.")
            else:
                return redirect("scraping:run", started.pk)
    else:
        form = RunForm(initial=_initial(request))
    context = {
        **selectors.read_list(now=timezone.now()),
        "form": form,
        "cost": cost,
        "cost_words": words.dollars(cost.dollars) if cost else "",
        "known": Category.objects.all(),
        "live_url": f"/live/{TOPIC}/{ALL_RUNS}/",
    }
    return render(request, "scraping/index.html", context)


def _initial(request: HttpRequest) -> dict[str, Any]:
    run = ScrapeRun.objects.select_related("category").filter(pk=number_in(request.GET.get("from", "")) or 0).first()
    return values_of(run) if run else {"category": request.GET.get("category", "")}


@for_scrapers
@require_safe
def run(request: HttpRequest, run_id: int) -> HttpResponse:
    """Show how far a run is, and what it dropped: moderators may."""
    found = selectors.read_run(run_id, now=timezone.now())
    if found is None:
        raise Http404("No such run.")
    samples = _samples(found["run"].category, [name for name, _, _ in found["dropped"]])
    return render(request, "scraping/run.html", {**found, "samples": samples, "live_url": f"/live/{TOPIC}/{run_id}/"})


def _samples(category: Category, reasons: list[str]) -> list[dict[str, Any]]:
    """Return a few dropped posts of each reason."""
    found = newest_posts(category, reasons, SAMPLES)
    return [{"name": name, "words": words.outcome(name), "posts": posts} for name, posts in found.items() if posts]


@for_scrapers
@only_post
@limited("RATE_SCRAPING")
def cancel(request: HttpRequest, run_id: int) -> HttpResponse:
    """Stop a run: moderators may. One that is over stays as it is."""
    get_object_or_404(ScrapeRun, pk=run_id)
    cancel_run(run_id=run_id, by=signed_in(request))
    return redirect("scraping:run", run_id)


@for_scrapers
@only_post
@limited("RATE_SCRAPING")
def ask_again(request: HttpRequest, name: str) -> HttpResponse:
    """Let a source be asked again that has sent us away: moderators may."""
    if name not in SOURCES:
        raise Http404("No such source.")
    forget_ban(name=name)
    messages.success(request, f"{SOURCES[name].title} will be asked again by the next run.")
    return redirect(f"{reverse('scraping:index')}#sources-title")


@for_scrapers
@require_safe
def category(request: HttpRequest, slug: str) -> HttpResponse:
    """Show whose posts a category takes and what became of them: moderators may. `?reason=NAME` pages through those dropped for it."""
    found = get_object_or_404(Category, slug=slug)
    return _category_page(request, found, ScheduleForm(initial=values_of_schedule(_schedule(found))))


def _schedule(category: Category) -> Schedule | None:
    return Schedule.objects.filter(category=category).first()


def _category_page(request: HttpRequest, category: Category, form: ScheduleForm) -> HttpResponse:
    outcomes = selectors.read_outcomes(category)
    reason = request.GET.get("reason", "")
    before = request.GET.get("before", "")
    reason = reason if reason in Drop.__members__ else ""
    if reason:
        posts = newest_posts(category, [reason], POSTS_A_PAGE + 1, number_in(before))[reason]
        samples = [{"name": reason, "words": words.outcome(reason), "posts": posts[:POSTS_A_PAGE]}]
        older = posts[POSTS_A_PAGE - 1].pk if len(posts) > POSTS_A_PAGE else None
    else:
        samples, older = _samples(category, [row["name"] for row in outcomes["dropped"]]), None
    outs = read_opt_outs()
    accounts = Paginator(selectors.read_accounts(category), ACCOUNTS_A_PAGE).get_page(request.GET.get("page"))
    cost = estimate_cost(category=category)
    context = {
        "category": category,
        "accounts": accounts,
        "rows": [{"feed": feed, "out": outs.holds(feed.platform, feed.handle, feed.account_id)} for feed in accounts],
        "outcomes": outcomes,
        "reason": reason,
        "reason_words": words.outcome(reason),
        "before": before,
        "samples": samples,
        "older": older,
        "form": form,
        "schedule": _schedule(category),
        "cost": cost,
        "cost_words": words.dollars(cost.dollars),
        "runs": selectors.read_newest_runs(category),
    }
    return render(request, "scraping/category.html", context)


@for_scrapers
@only_post
@limited("RATE_SCRAPING")
def schedule(request: HttpRequest, slug: str) -> HttpResponse:
    """Have a category fetched daily, or no longer: moderators may."""
    found = get_object_or_404(Category, slug=slug)
    form = ScheduleForm(request.POST)
    if form.is_valid():
        try:
            set_schedule(category=found, daily=form.cleaned_data["daily"], **form.limits(), now=timezone.now())
        except ScrapeError as error:
            form.add_error(None, str(error))
        else:
            daily = form.cleaned_data["daily"]
            messages.success(
                request, f"{found} is fetched every day from now on." if daily else f"{found} is fetched when somebody asks for it."
            )
            return redirect("scraping:category", slug)
    return _category_page(request, found, form)


@for_scrapers
@only_post
@limited("RATE_SCRAPING")
def put_on_list(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Take an account off its category's list, or with `listed=yes` put it back: moderators may."""
    feed = get_object_or_404(Feed.objects.select_related("category"), pk=feed_id)
    if request.POST.get("listed") != "yes":
        drop_feed(feed_id=feed.pk)
        messages.success(request, f"{feed.handle} is off the list: nothing more is fetched. What was fetched stays.")
    elif _is_out(feed):
        messages.error(request, f"{feed.handle} has opted out, and stays off the list.")
    else:
        add_handles(category=feed.category, text=str(feed))
        messages.success(request, f"{feed.handle} is on the list again.")
    return redirect("scraping:category", feed.category.slug)


def _is_out(feed: Feed) -> bool:
    return read_opt_outs().holds(feed.platform, feed.handle, feed.account_id)


@for_scrapers
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_SCRAPING")
def take_out(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Ask whether a person shall be out of the game for good, and do it: moderators may."""
    feed = get_object_or_404(Feed.objects.select_related("category"), pk=feed_id)
    platform = feed.platform
    if request.method != "POST":
        return render(
            request, "scraping/opt_out.html", {"feed": feed, "platform": platform, "tweets": selectors.count_tweets(feed, platform)}
        )
    reason = line_in(request.POST.get("reason", ""), longest=200)
    try:
        erased = opt_out(platform=platform, handle=feed.handle, by=signed_in(request), reason=reason, account_id=feed.account_id)
    except OptOutError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{feed.handle} is out for good. {words.counted(erased, 'tweet')} erased.")
    return redirect("scraping:category", feed.category.slug)
