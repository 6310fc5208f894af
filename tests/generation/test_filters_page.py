"""The page that shows how many samples fell to which filter."""

import re
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client

from game.pool.models import Category, Kind, Status
from game.pool.services import NewTweet, add_tweets, get_author
from generation.batches import create_batch
from generation.filter_selectors import MEANS
from generation.models import Batch, ModelVersion
from generation.rules import Drop
from generation.samples import keep_samples
from generation.screening import Fallen
from tests.people import client_of

PAGE = "/generation/filters/"


@pytest.fixture
def moderator(db: None) -> Client:
    return client_of("moderator")


def finish(model: ModelVersion, days: int = 0, made: int = 0, kept: int = 0, **dropped: int) -> Batch:
    """Have a batch done some days ago, that dropped so many for each reason."""
    batch = create_batch(model_version=model, wanted=100)
    reasons = {Drop[name].value: count for name, count in dropped.items()}
    at = Now() - timedelta(days=days)
    Batch.objects.filter(pk=batch.pk).update(state="done", finished_at=at, made=made, kept=kept, dropped=reasons)
    return batch


def rows(client: Client, **query: str) -> list[tuple[str, str, str]]:
    """Return name, count and share of every filter, as the page lists them."""
    html = client.get(PAGE, query).content.decode()
    cells = [re.findall(rf'class="strainer__{part}">([^<]*)<', html) for part in ("name", "count", "share")]
    return list(zip(*cells, strict=True))


def test_reasons_are_added_up_and_sorted(moderator: Client, model: ModelVersion) -> None:
    finish(model, made=1000, kept=300, MADE_UP_WORD=250, LINK=50, UNLIKE=400)
    finish(model, made=1000, kept=200, MADE_UP_WORD=100, UNSAFE=200, UNLIKE=500)
    assert rows(moderator) == [
        ("Made-up word", "350", "17.5 %"),
        ("Unsafe word", "200", "10.0 %"),
        ("Has a link", "50", "2.5 %"),
        ("Judged unlike people", "900", "45.0 %"),
    ]
    page = moderator.get(PAGE).content.decode()
    assert "25 % of the samples were kept" in page
    assert "500 of 2,000" in page


def test_a_share_too_small_for_its_digit_is_not_called_none(moderator: Client, model: ModelVersion) -> None:
    finish(model, made=10_000, kept=300, LINK=3, UNSAFE=10)
    assert rows(moderator) == [("Unsafe word", "10", "0.1 %"), ("Has a link", "3", "under 0.1 %")]


def test_a_period_and_a_category_choose_the_batches(moderator: Client, model: ModelVersion) -> None:
    other = Category.objects.create(slug="owls", name="Owls")
    finish(model, days=0, made=10, kept=9, LINK=1)
    finish(model, days=3, made=10, kept=8, LINK=2)
    finish(model, days=30, made=20, kept=16, LINK=4)
    counts = {period: [row[1] for row in rows(moderator, period=period)] for period in ("day", "week", "all", "nonsense")}
    assert counts == {"day": ["1"], "week": ["3"], "all": ["7"], "nonsense": ["3"]}
    assert rows(moderator, category="starlings", period="all") == [("Has a link", "7", "17.5 %")]
    assert rows(moderator, category=other.slug) == []
    assert "No batch was done in the last week for Owls" in moderator.get(PAGE, {"category": "owls"}).content.decode()
    assert moderator.get(PAGE, {"category": "nobody"}).status_code == 404


def test_only_batches_that_are_done_count(moderator: Client, model: ModelVersion) -> None:
    create_batch(model_version=model, wanted=10)
    assert "No batch was done yet" in moderator.get(PAGE, {"period": "all"}).content.decode()


def test_samples_show_what_exactly_was_wrong(moderator: Client, model: ModelVersion) -> None:
    author = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada_owl")
    tweet = add_tweets(category=model.category, tweets=[NewTweet(author, "The owl & the <b>moon</b> are out.")], status=Status.APPROVED)[0]
    batch = finish(model, made=10, kept=8, NEAR=1, MADE_UP_WORD=1)
    keep_samples(
        batch=batch,
        fallen=[
            Fallen(Drop.NEAR, "The owl and the moon are <out>.", "83% alike", tweet),
            Fallen(Drop.MADE_UP_WORD, "The owl zwooped.", "zwooped"),
        ],
    )
    page = moderator.get(PAGE).content.decode()
    for part in (
        "The owl and the moon are &lt;out&gt;.",
        "83% alike",
        "The owl &amp; the &lt;b&gt;moon&lt;/b&gt; are out.",
        "ada_owl",
        "zwooped",
    ):
        assert part in page
    assert MEANS[Drop.NEAR] in page
    # Of a filter that dropped nothing in that time nothing is said.
    assert MEANS[Drop.LINK] not in page


def test_every_reason_is_explained() -> None:
    assert set(MEANS) == set(Drop)


def test_the_page_costs_as_many_queries_with_many_samples(moderator: Client, model: ModelVersion, django_assert_num_queries) -> None:
    batch = finish(model, made=10, kept=8, LINK=2)
    keep_samples(batch=batch, fallen=[Fallen(Drop.LINK, "One.")])
    moderator.get(PAGE)
    with django_assert_num_queries(8):
        moderator.get(PAGE)
    keep_samples(batch=batch, fallen=[Fallen(Drop.LINK, "Two."), Fallen(Drop.LINK, "Three."), Fallen(Drop.UNSAFE, "Four.")])
    finish(model, made=10, kept=8, UNSAFE=2)
    with django_assert_num_queries(8):
        moderator.get(PAGE)


@pytest.mark.parametrize("name", ["anonymous", "teacher", "mallory"])
def test_nobody_else_sees_what_was_dropped(model: ModelVersion, name: str) -> None:
    response = client_of(name).get(PAGE)
    assert response.status_code in (302, 403)
    assert "strainer" not in response.content.decode()
    assert client_of("moderator").post(PAGE).status_code == 405
