from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from game.moderation import bulk
from game.moderation.bulk import BulkRefused, Left
from game.moderation.rules import goes_to_two
from game.moderation.search import Filters
from game.pool.models import BulkAction, Category, ModerationEvent, Status, Tweet
from game.pool.services import erase_tweets, moderate_tweets
from tests.game.moderation.moderators import LATER, NOON, decide, log_of, moderator, take, undo

Waiting = Callable[..., list[Tweet]]
OWLS = Filters(category="owls")


def preview(filters: Filters = OWLS, after: str = Status.APPROVED, now: datetime = NOON) -> bulk.Preview:
    return bulk.preview(filters=filters, by=moderator("ann"), after=after, now=now)


def apply(after: str = Status.APPROVED, filters: Filters = OWLS, token: str = "", reason: str = "") -> BulkAction:
    token = token or preview(filters, after).token
    return bulk.apply(by=moderator("ann"), filters=filters, after=after, reason=reason, token=token, now=NOON)


def statuses(tweets: list[Tweet]) -> list[str]:
    found = dict(Tweet.objects.values_list("pk", "status"))
    return [found[tweet.pk] for tweet in tweets]


def set_status(tweet: Tweet, status: str) -> None:
    Tweet.objects.filter(pk=tweet.pk).update(status=status)


def test_the_preview_says_what_it_is_about(owls: object, waiting: Waiting) -> None:
    tweets = waiting(count=25)
    set_status(tweets[0], Status.REJECTED)
    set_status(tweets[1], Status.WITHDRAWN)
    take("bob", owls, count=3)  # type: ignore[arg-type]
    take("ann", owls, count=2)  # type: ignore[arg-type]
    seen = preview()
    assert (seen.count, seen.by_status, seen.changes) == (24, {"pending": 23, "rejected": 1}, 21)
    assert (seen.left, len(seen.samples)) == ({Left.LEASED: 3}, bulk.SAMPLES)
    assert {item.origin for item in seen.samples} == {None}
    assert not ModerationEvent.objects.exists()


def test_the_preview_of_nothing(db: None) -> None:
    assert preview() == bulk.Preview(0, {}, 0, {}, [], "")


def test_one_action_changes_all_and_logs_each(waiting: Waiting) -> None:
    pending, rejected, approved, withdrawn = tweets = waiting(count=4)
    set_status(rejected, Status.REJECTED)
    set_status(approved, Status.APPROVED)
    set_status(withdrawn, Status.WITHDRAWN)
    action = apply(reason="all read")
    assert statuses(tweets) == ["approved", "approved", "approved", "withdrawn"]
    assert log_of(pending) == [("ann", "pending", "approved", "all read")]
    assert log_of(rejected) == [("ann", "rejected", "approved", "all read")]
    assert log_of(approved) == log_of(withdrawn) == []
    assert (action.by.username, action.filters, action.after, action.reason) == ("ann", {"category": "owls"}, "approved", "all read")
    assert {event.bulk for event in ModerationEvent.objects.all()} == {action}


def test_filters_choose(waiting: Waiting) -> None:
    tweets = waiting("An owl wrote a letter.", "A goose wrote a letter.", "A goose went home.")
    apply(filters=Filters(category="owls", words="goose -home"))
    assert statuses(tweets) == ["pending", "approved", "pending"]


def test_what_lies_before_others_is_left_to_them(owls: object, waiting: Waiting) -> None:
    waiting(count=5)
    ours, theirs = take("ann", owls, count=1), take("bob", owls, count=2)  # type: ignore[arg-type]
    apply()
    left = set(Tweet.objects.filter(status="pending").values_list("pk", flat=True))
    assert left == set(theirs)
    assert left.isdisjoint(ours)
    bulk.apply(by=moderator("ann"), filters=OWLS, after="approved", token=preview(now=LATER).token, now=LATER)
    assert not Tweet.objects.filter(status="pending").exists()


@pytest.mark.parametrize("change", ["new", "decided", "withdrawn", "leased", "another"])
def test_another_selection_than_that_of_the_preview_is_refused(waiting: Waiting, change: str) -> None:
    first, second = waiting("An owl wrote a letter.", "A goose wrote a letter.")
    filters = Filters(category="owls", words="letter")
    token = preview(filters).token
    if change == "new":
        waiting("A stork wrote a letter.")
    elif change == "decided":
        decide("bob", first, "reject")
    elif change == "leased":
        assert take("bob", first.category, count=1) == [first.pk]
    elif change == "withdrawn":
        set_status(first, Status.WITHDRAWN)
    else:
        filters = Filters(category="owls", words="owl")
    with pytest.raises(BulkRefused, match=r"^Other tweets match now than in the preview: look at it again\.$"):
        apply(filters=filters, token=token)
    assert not BulkAction.objects.exists()
    assert statuses([second]) == ["pending"]


def test_the_same_again_finds_another_selection(waiting: Waiting) -> None:
    waiting(count=2)
    token = preview().token
    apply(token=token)
    with pytest.raises(BulkRefused):
        apply(token=token)


def test_undoing_puts_each_back_to_what_it_was(waiting: Waiting) -> None:
    pending, rejected, approved = tweets = waiting(count=3)
    set_status(rejected, Status.REJECTED)
    set_status(approved, Status.APPROVED)
    action = apply()
    bob = moderator("bob")
    assert bulk.undo_bulk(by=bob, action=action) == (2, 0)
    assert statuses(tweets) == ["pending", "rejected", "approved"]
    assert log_of(rejected)[1:] == [("bob", "approved", "rejected", "undone")]
    undoing = BulkAction.objects.get(undoes=action)
    assert (undoing.by, undoing.after) == (bob, "")
    first, last = ModerationEvent.objects.filter(tweet=pending).order_by("pk")
    assert (last.bulk, last.undoes) == (undoing, first)


def test_what_was_changed_since_stays_and_is_counted(waiting: Waiting) -> None:
    kept, decided_back, erased, undone = tweets = waiting(count=4)
    action = apply()
    moderate_tweets(tweets=Q(pk=kept.pk), by=moderator("bob"), after=Status.REJECTED)
    for after in (Status.REJECTED, Status.APPROVED):
        moderate_tweets(tweets=Q(pk=decided_back.pk), by=moderator("bob"), after=after)
    erase_tweets(tweets=Q(pk=erased.pk), by=None, reason="asked")
    assert bulk.undo_bulk(by=moderator("ann"), action=action) == (1, 3)
    assert statuses(tweets) == ["rejected", "approved", "withdrawn", "pending"]
    assert log_of(undone)[-1] == ("ann", "approved", "pending", "undone")


def test_an_undoing_is_done_once_and_not_undone(waiting: Waiting) -> None:
    waiting(count=2)
    action = apply()
    bulk.undo_bulk(by=moderator("ann"), action=action)
    with pytest.raises(BulkRefused, match="undone before"):
        bulk.undo_bulk(by=moderator("bob"), action=action)
    with pytest.raises(BulkRefused, match="an undoing itself"):
        bulk.undo_bulk(by=moderator("bob"), action=BulkAction.objects.get(undoes=action))


def test_one_of_them_is_not_undone_by_itself(waiting: Waiting) -> None:
    waiting(count=2)
    apply()
    assert undo("ann").said == "There is nothing to undo."


@pytest.fixture
def in_twos(owls: Category, waiting: Waiting) -> list[Tweet]:
    """Return five pending tweets: disputed, waiting for a second person, drawn for two, for one person alone, and rejected."""
    owls.double_share = 1.0
    owls.save()
    tweets = waiting(count=5)
    decide("bob", tweets[0], "approve")
    decide("cy", tweets[0], "reject")
    decide("bob", tweets[1], "reject")
    owls.double_share = 0.5
    owls.save()
    tweets += waiting(*(f"A gull counted {number} chips." for number in range(20)))
    lots = {goes_to_two(bytes(tweet.fingerprint), 0.5): tweet for tweet in tweets[2:]}
    Tweet.objects.exclude(pk__in=[tweets[0].pk, tweets[1].pk, lots[True].pk, lots[False].pk]).delete()
    (rejected,) = waiting("A wren that was turned down.")
    set_status(rejected, Status.REJECTED)
    return [tweets[0], tweets[1], lots[True], lots[False], rejected]


@pytest.mark.parametrize("after", [Status.APPROVED, Status.REJECTED])
def test_what_two_people_decide_on_is_left_to_them_and_counted_by_name(after: str, in_twos: list[Tweet]) -> None:
    seen = preview(after=after)
    assert seen.left == {Left.DISPUTED: 1, Left.SECOND: 1, Left.DRAWN: 1}
    assert seen.changes == (2 if after == Status.APPROVED else 1)
    action = apply(after)
    assert action.events.count() == seen.changes
    assert statuses(in_twos) == ["pending", "pending", "pending", after, after]


def test_what_two_people_decide_on_is_withdrawn_with_the_rest(in_twos: list[Tweet]) -> None:
    assert (preview(after=Status.WITHDRAWN).left, preview(after=Status.WITHDRAWN).changes) == ({}, 5)
    apply(Status.WITHDRAWN)
    assert statuses(in_twos) == ["withdrawn"] * 5


def test_a_tweet_that_is_left_out_anyway_spoils_no_preview(in_twos: list[Tweet]) -> None:
    token = preview().token
    decide("dan", in_twos[0], "flag")
    apply(token=token)
    assert statuses(in_twos) == ["pending", "pending", "pending", "approved", "approved"]


def test_one_that_is_given_to_somebody_at_the_last_moment_stops_the_whole(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    tweets = waiting(count=3)
    token = preview().token

    def lease_first(**asked: Any) -> int:
        take("bob", tweets[0].category, count=1)
        return moderate_tweets(**asked)

    monkeypatch.setattr(bulk, "moderate_tweets", lease_first)
    with pytest.raises(BulkRefused, match="look at it again"):
        apply(token=token)
    assert (statuses(tweets), BulkAction.objects.count()) == (["pending"] * 3, 0)


@pytest.mark.parametrize("count", [3, 300])
def test_however_many_it_takes_as_many_statements(waiting: Waiting, count: int) -> None:
    waiting(count=count)
    token, ann = preview().token, moderator("ann")
    with CaptureQueriesContext(connection) as applying:
        action = bulk.apply(by=ann, filters=OWLS, after="approved", token=token, now=NOON)
    with CaptureQueriesContext(connection) as undoing:
        assert bulk.undo_bulk(by=ann, action=action) == (count, 0)
    # Among them a savepoint, and letting go of it, for each function that is one transaction.
    assert (len(applying), len(undoing)) == (8, 10)
