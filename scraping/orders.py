"""What a moderator asks for on the page: accounts of a category, fetched or checked, for so much money."""

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils.text import slugify

from game.pool.models import Category
from scraping.catalogue import SOURCES, missing_for
from scraping.erasing import count_checked
from scraping.feeds import add_handles, file_of, sync_file
from scraping.models import Feed, ScrapeRun
from scraping.runs import PRICED, ScrapeError, start_run


@dataclass(frozen=True, slots=True)
class Order:
    """A filled-in form; `agreed` is the estimate that was shown, and agreed to."""

    category: str
    handles: str = ""
    language: str = "en"
    task: str = ScrapeRun.Task.SCRAPE
    sources: tuple[str, ...] = ()
    cap: int | None = None
    budget: Decimal | None = None
    agreed: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run costs at most, in dollars: for so many accounts, and posts of all of them."""

    accounts: int
    posts: int
    dollars: Decimal


class CostsMoney(Exception):
    """A run that costs money was asked for by somebody who has not seen, or not agreed to, how much."""

    def __init__(self, estimate: Estimate) -> None:
        super().__init__(f"It may cost ${estimate.dollars}.")
        self.estimate = estimate


@transaction.atomic
def place_order(*, order: Order, by: User) -> ScrapeRun:
    """Make the category where it is new, list the accounts and start the run, or leave all as it was.

    Raises HandlesError, ScrapeError, and CostsMoney until what it costs is agreed to.
    """
    category = _find_category(order) or _make_category(order)
    sync_file(category=category)
    add_handles(category=category, text=order.handles, where="Accounts to add")
    _check_set_up(order, category)
    estimate = estimate_cost(category=category, sources=order.sources, cap=order.cap, task=order.task)
    if estimate.dollars and (estimate.dollars != order.agreed or order.budget is None):
        raise CostsMoney(estimate)
    return start_run(category=category, by=by, task=order.task, sources=order.sources, cap=order.cap, budget=order.budget)


def _check_set_up(order: Order, category: Category) -> None:
    """Raise ScrapeError for a source that a run would read and that can't be read here; a check asks other ones."""
    if order.task != ScrapeRun.Task.SCRAPE:
        return
    feeds = Feed.objects.filter(category=category, listed=True)
    asked = set(feeds.values_list("source", flat=True)).intersection(order.sources or SOURCES)
    for name in sorted(asked):
        if missing := missing_for(name):
            others = "" if asked == {name} else " Or choose the others under “Only from”."
            raise ScrapeError(f"{SOURCES[name].title} can't be read here yet. {missing.rstrip('.')}.{others}")


def estimate_cost(
    *, category: Category, sources: tuple[str, ...] = (), cap: int | None = None, task: str = ScrapeRun.Task.SCRAPE
) -> Estimate:
    """Say what a run of a category would cost at most, as its list is now."""
    accounts = posts = 0
    dollars = Decimal(0)
    for name in PRICED.intersection(sources or PRICED):
        source = SOURCES[name]
        feeds = Feed.objects.filter(category=category, source=name, listed=True)
        listed = feeds.count()
        if task == ScrapeRun.Task.CHECK:
            listed, asked = count_checked(category=category, checker=name)
        else:
            asked = listed * min(cap or settings.SCRAPE_CAP, source.most_posts or settings.SCRAPE_CAP)
        accounts, posts = accounts + listed, posts + asked
        dollars += listed * source.price_of_account + asked * source.price_of_post
    return Estimate(accounts, posts, dollars)


def _find_category(order: Order) -> Category | None:
    name = " ".join(order.category.split())
    found = Category.objects.filter(Q(slug=slugify(name)) | Q(slug=name) | Q(name__iexact=name)).order_by("pk")
    # Names need not be unique; what is spelled exactly like a slug means that one.
    return next((one for one in found if one.slug == name), found.first())


def _make_category(order: Order) -> Category:
    name = " ".join(order.category.split())
    slug = slugify(name)
    if not slug or len(slug) > (Category._meta.get_field("slug").max_length or 0):
        raise ScrapeError("A category needs a name with letters or digits, 50 at most.")
    if not order.handles.strip() and not file_of(Category(slug=slug)).is_file():
        raise ScrapeError(f"There is no category “{name}” yet. List accounts for it, and it is made.")
    if name == slug:
        name = slug.replace("-", " ").title()
    # Somebody else may have made it a moment ago.
    return Category.objects.get_or_create(slug=slug, defaults={"name": name, "language": order.language, "active": False})[0]
