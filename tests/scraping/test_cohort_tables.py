"""What a cohort leaves in the database, and in the purse."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from scraping import cohorts
from scraping.cohorts import BudgetSpent, CohortError, Purse, begin_cohort, count_overlaps, drop_old_cohorts, store_page, table_of
from scraping.models import Cohort
from scraping.sources.base import FollowerPage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def tables_dropped(transactional_db: None) -> Iterator[None]:
    """Leave no partitions to other tests: these tables are not Django's to empty."""
    yield
    for cohort in Cohort.objects.all():
        cohorts.drop_cohort(cohort=cohort)


def begin(**camps: list[str]) -> Cohort:
    return begin_cohort(source="x", camps=camps, most=None, resume=False)


def test_a_purse_lets_nothing_be_asked_that_may_cost_more_than_is_left(db: None) -> None:
    cohort = begin(owls=["ada"])
    purse = Purse(cohort, Decimal(3))
    purse.reserve(3.0)
    purse.pay(2.0)
    purse.reserve(1.0)
    with pytest.raises(BudgetSpent) as error:
        purse.reserve(1.5)
    assert str(error.value).startswith("$2.00 of $3.00 are spent, and the next request may cost $1.50.")
    purse.reserve(0.0)
    cohort.refresh_from_db()
    assert cohort.spent == 2


def test_a_source_that_costs_money_is_not_asked_without_a_budget(tmp_path: Path) -> None:
    (tmp_path / "owls.txt").write_text("ada_owl\nx:bob\n")
    call = ["find_cohort", "--seeds", str(tmp_path / "owls.txt"), "--source", "x", "--min-overlap", "2"]
    with pytest.raises(CommandError) as error:
        call_command(*call, "--max-followers", "5000")
    words = "x costs $0.010 for every follower read: $10.00 a thousand, at most $100.00 for 2 seeds. Say what it may be, as in --budget 50."
    assert str(error.value) == words
    assert not Cohort.objects.exists()


# --- what is stored


def test_two_who_read_the_same_page_store_it_once() -> None:
    cohort = begin(owls=["ada"])
    seed, same = cohort.seeds.get(), cohort.seeds.get()
    store_page(cohort=cohort, seed=seed, page=FollowerPage(("1", "2"), cursor="next"))
    with pytest.raises(CohortError, match="Another find_cohort is reading the same seeds"):
        store_page(cohort=cohort, seed=same, page=FollowerPage(("1", "2"), cursor="next"))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table_of(cohort)}")
        assert cursor.fetchone() == (2,)
    seed.refresh_from_db()
    assert (seed.state, seed.cursor, seed.followers) == ("reading", "next", 2)


def test_ids_are_stored_as_they_are() -> None:
    odd = ("tab\there", "back\\slash", "\\N", "Grüße", "host/1\n2")
    cohort = begin(owls=["ada"])
    store_page(cohort=cohort, seed=cohort.seeds.get(), page=FollowerPage(odd))
    assert [overlap.follower for overlap in count_overlaps(cohort=cohort, least=1)] == sorted(odd, key=str.encode)


def test_cohorts_do_not_mix_and_old_ones_are_forgotten() -> None:
    first, second = begin(owls=["ada", "bob"]), begin(owls=["ada", "cyd"])
    for cohort, ids in ((first, ("1", "2")), (second, ("2", "3"))):
        for seed in cohort.seeds.all():
            store_page(cohort=cohort, seed=seed, page=FollowerPage(ids))
    assert [(row.follower, row.counts) for row in count_overlaps(cohort=first, least=2)] == [("1", (2,)), ("2", (2,))]
    Cohort.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(days=31))
    assert drop_old_cohorts(now=timezone.now()) == 1
    assert [row.follower for row in count_overlaps(cohort=second, least=2)] == ["2", "3"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM scraping_follower")
        assert cursor.fetchone() == (4,)
