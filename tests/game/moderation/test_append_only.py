"""What stays written down, whoever connects to the database."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from game.moderation.models import Review, Takedown
from game.pool.models import BulkAction, CategoryEvent, ModerationEvent, Tweet
from game.pool.services import moderate_tweets
from tests.game.moderation.moderators import decide, undo


@pytest.fixture
def written(waiting: Callable[..., list[Tweet]]) -> dict[str, int]:
    """Return the id of one row of each table."""
    tweet = waiting("An owl.")[0]
    user = User.objects.create(username="ann")
    bulk = BulkAction.objects.create(by=user, after="approved")
    moderate_tweets(tweets=Q(pk=tweet.pk), by=user, after="approved", bulk=bulk)
    event = ModerationEvent.objects.get()
    return {
        "pool_moderationevent": event.pk,
        "pool_bulkaction": bulk.pk,
        "pool_categoryevent": CategoryEvent.objects.create(category=tweet.category, by=user, after={"name": "Owls"}).pk,
        "moderation_takedown": Takedown.objects.create(
            number="BB-2020-000001", kind="tweet", target="tweet 1", reason="why", tweets=1, cards=0
        ).pk,
        "moderation_review": Review.objects.create(tweet=tweet, by=user, verdict="approve", event=event).pk,
    }


COLUMNS = {
    "pool_moderationevent": "reason = 'another'",
    "pool_bulkaction": "reason = 'another'",
    "pool_categoryevent": "after = '{}'",
    "moderation_takedown": "reason = 'another'",
    "moderation_review": "verdict = 'reject'",
}


def run(sql: str, *parameters: int | str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)


@pytest.mark.parametrize("table", COLUMNS)
def test_no_row_of_the_log_can_be_changed(table: str, written: dict[str, int]) -> None:
    with pytest.raises(IntegrityError, match=f"{table} is append-only"):
        run(f"UPDATE {table} SET {COLUMNS[table]} WHERE id = %s", written[table])


@pytest.mark.parametrize("table", sorted(COLUMNS.keys() - {"moderation_review"}))
def test_no_row_of_the_log_can_be_deleted(table: str, written: dict[str, int]) -> None:
    # What else would refuse it goes first.
    run("DELETE FROM moderation_review")
    with pytest.raises(IntegrityError, match=f"{table} is append-only"):
        run(f"DELETE FROM {table} WHERE id = %s", written[table])


def test_an_undone_review_goes_and_the_log_keeps_that_it_was_there(waiting: Callable[..., list[Tweet]]) -> None:
    tweet = waiting("An owl.")[0]
    decide("mo", tweet, "flag")
    undo("mo")
    assert (Review.objects.count(), list(ModerationEvent.objects.values_list("reason", flat=True))) == (
        0,
        ["undone", "second opinion wanted"],
    )
