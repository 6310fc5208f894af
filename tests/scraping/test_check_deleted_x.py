"""Checks at X, which wants money, and wants more to be erased."""

import math
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from game.pool.models import Category, Tweet
from scraping.feeds import add_handles
from scraping.models import Feed, RawPost
from scraping.runs import start_run
from scraping.work import carry_out
from tests.fakes import x_api
from tests.fakes.world import World
from tests.scraping.checks import add_import, check, held, visits

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owls(settings) -> Iterator[tuple[Category, x_api.XFake]]:
    """A category with what ada_owl, who is at X, has posted: half of it scraped, some of it by twint, some from a file."""
    world = World()
    ada = world.add("ada_owl", posts=40)
    category = Category.objects.create(slug="owls", name="Owls")
    with x_api.XFake(world) as server:
        settings.SCRAPE_X_URL, settings.X_BEARER_TOKEN = server.url, x_api.TOKEN
        add_handles(category=category, text="x:ada_owl")
        carry_out(run_id=start_run(category=category, by=None, budget=Decimal(5)).pk)
        add_import(category, 1, str(ada.posts[0].key + 500), platform="twitter", handle="bob")
        yield category, server


def test_x_is_paid_for_what_is_there_and_the_budget_is_kept(owls: tuple[Category, x_api.XFake]) -> None:
    category, _ = owls
    posts = held("ada_owl")
    run = check(category, budget=Decimal(1))
    # The account, its posts; the imported one is gone, and costs nothing.
    assert run.spent == Decimal("0.010") + posts * Decimal("0.005")
    assert visits(run) == {"ada_owl": ("done", posts, 0, ""), "bob": ("done", 1, 1, "")}


def test_a_small_budget_asks_about_what_it_can_pay_and_the_next_one_goes_on_there(owls: tuple[Category, x_api.XFake]) -> None:
    category, server = owls
    posts, first_seen = held("ada_owl"), timezone.now()
    asked = len(server.requests)
    poor = check(category, budget=Decimal("0.05"))
    # The account, and eight posts.
    assert (poor.state, poor.spent) == ("done", Decimal("0.050"))
    assert visits(poor)["ada_owl"][:3] == ("stopped", 8, 0)
    assert "budget is used up" in visits(poor)["ada_owl"][3]
    assert server.paths()[asked:] == ["/2/users", "/2/tweets"]
    runs = 1
    while RawPost.objects.filter(feed__handle="ada_owl", checked_at__lt=first_seen).exists():
        runs += 1
        assert check(category, budget=Decimal("0.05")).spent <= Decimal("0.050")
    assert runs == math.ceil(posts / 8)


def test_a_small_budget_reaches_every_account_in_time(owls: tuple[Category, x_api.XFake]) -> None:
    category, server = owls
    bea = server.world.add("bea_owl", posts=12)
    add_handles(category=category, text="x:bea_owl")
    carry_out(run_id=start_run(category=category, by=None, budget=Decimal(5)).pk)
    bea.posts[0].deleted = bea.posts[1].deleted = True
    gone = RawPost.objects.filter(source_id__in=[str(post.key) for post in bea.posts[:2]])
    before = timezone.now()
    for _ in range(math.ceil((held("ada_owl") + held("bea_owl")) / 4) + 2):
        check(category, budget=Decimal("0.03"))
    assert set(gone.values_list("outcome", flat=True)) == {"gone"}
    assert not RawPost.objects.exclude(outcome="gone").filter(checked_at__lt=before).exists()


def test_one_account_is_one_account(owls: tuple[Category, x_api.XFake]) -> None:
    category, _ = owls
    Tweet.objects.filter(author__handle="bob").delete()
    assert check(category, budget=Decimal("0.05")).note.splitlines()[0] == "1 of 1 account could not be checked to its end."


def test_without_a_budget_x_is_not_asked_at_all(owls: tuple[Category, x_api.XFake]) -> None:
    category, server = owls
    asked = len(server.requests)
    run = check(category)
    assert (run.state, run.spent, server.paths()[asked:]) == ("failed", 0, [])
    assert "budget" in run.error
    assert not Tweet.objects.filter(text="").exists()


@pytest.mark.parametrize(("state", "reason"), [("suspended", "account suspended at the source"), ("protected", "account made private")])
def test_x_wants_posts_of_suspended_and_protected_accounts_gone(owls: tuple[Category, x_api.XFake], state: str, reason: str) -> None:
    category, server = owls
    server.world.people["ada_owl"].state = state
    posts = held("ada_owl")
    assert visits(check(category, budget=Decimal(1)))["ada_owl"] == ("done", posts, posts, reason)
    assert set(Tweet.objects.filter(author__handle="ada_owl").values_list("text", flat=True)) == {""}


def test_what_twint_read_is_asked_of_x(owls: tuple[Category, x_api.XFake]) -> None:
    category, server = owls
    Feed.objects.filter(handle="ada_owl").update(source="twint", account_id="")
    person = server.world.people["ada_owl"]
    kept = RawPost.objects.filter(feed__handle="ada_owl", outcome="kept").values_list("source_id", flat=True)
    gone = next(post for post in person.posts if str(post.key) in kept)
    gone.deleted = True
    assert visits(check(category, budget=Decimal(1), sources=["twint"])) == {"ada_owl": ("done", held("ada_owl") + 1, 1, "")}
    assert RawPost.objects.get(outcome="gone").source_id == str(gone.key)


def test_where_nobody_could_be_asked_there_is_no_table(owls: tuple[Category, x_api.XFake]) -> None:
    category, _ = owls
    out = StringIO()
    with pytest.raises(CommandError, match=r"^the budget is used up"):
        call_command("check_deleted", category.slug, "--budget", "0.004", stdout=out, stderr=StringIO())
    assert "account" not in out.getvalue()


def test_the_command_says_beforehand_what_it_may_cost(owls: tuple[Category, x_api.XFake]) -> None:
    posts = held("ada_owl") + 1
    err = StringIO()
    call_command("check_deleted", "owls", "--budget", "1", stdout=StringIO(), stderr=err)
    cost = Decimal("0.010") + posts * Decimal("0.005")
    assert err.getvalue().splitlines()[0] == (
        f"Asking about {posts} posts may cost up to ${cost:.2f}; it stops at $1.00, of which $0.00 are spent."
        " What is not asked about is first the next time."
    )
