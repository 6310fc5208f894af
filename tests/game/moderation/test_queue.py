from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Q, QuerySet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from game.moderation import leases, queue
from game.moderation.models import Lease, Review
from game.moderation.queue import Decision, Outcome
from game.moderation.rules import goes_to_two
from game.moderation.search import Count
from game.pool.models import BulkAction, Category, ModerationEvent, Status, Tweet, TweetFlag
from game.pool.services import moderate_tweets
from tests.game.moderation.moderators import LATER, NOON, decide, log_of, moderator, take, undo

Waiting = Callable[..., list[Tweet]]


def now_of(tweet: Tweet) -> tuple[str, str, str | None]:
    """Return the status of a tweet, its stage, and who looked last."""
    tweet.refresh_from_db()
    return tweet.status, tweet.stage, tweet.looked_by.username if tweet.looked_by else None


def flags_of(tweet: Tweet) -> set[str]:
    return set(TweetFlag.objects.filter(tweet=tweet).values_list("flag", flat=True))


@pytest.fixture
def tweet(waiting: Waiting) -> Tweet:
    return waiting("An owl slept through the whole meeting.")[0]


@pytest.fixture
def in_twos(owls: Category) -> Category:
    owls.double_share = 1.0
    owls.save()
    return owls


def test_a_decision_is_logged_and_frees_the_tweet(owls: Category, tweet: Tweet) -> None:
    take("ann", owls)
    decision = decide("ann", tweet, "reject", "3")
    assert (decision.outcome, decision.said, decision.status) == (Outcome.DECIDED, "Rejected: unsafe or cruel.", "rejected")
    assert log_of(tweet) == [("ann", "pending", "rejected", "unsafe or cruel")]
    assert not Lease.objects.exists()
    assert take("bob", owls) == []


def test_that_the_origin_was_seen_is_in_the_log(waiting: Waiting) -> None:
    blind, seen = waiting(count=2)
    decide("ann", blind)
    decide("ann", seen, origin_shown=True)
    assert dict(ModerationEvent.objects.values_list("tweet", "origin_shown")) == {blind.pk: False, seen.pk: True}


def test_who_wrote_it_is_told_only_to_those_who_ask(owls: Category, tweet: Tweet) -> None:
    [blind] = queue.take(by=moderator("ann"), category=owls, count=1, now=NOON)
    assert (blind.text, blind.origin, blind.opinions) == (tweet.text, None, ())
    [item] = queue.take(by=moderator("ann"), category=owls, count=1, now=NOON, blind=False)
    assert item.origin
    assert (item.origin.kind, item.origin.author, item.origin.facts) == ("human", "Ada", {"likes": 7})


def test_a_decision_that_comes_twice_is_taken_once(tweet: Tweet) -> None:
    first, again = decide("ann", tweet), decide("ann", tweet)
    assert (again.outcome, again.event_id, again.repeated, first.repeated) == (Outcome.DECIDED, first.event_id, True, False)
    assert len(log_of(tweet)) == 1


@pytest.mark.parametrize("verdict", ["approve", "reject", "flag"])
def test_a_look_that_comes_twice_is_taken_once(in_twos: Category, tweet: Tweet, verdict: str) -> None:
    first, again = decide("ann", tweet, verdict), decide("ann", tweet, verdict)
    assert (again.outcome, again.event_id, again.repeated) == (Outcome.WAITS, first.event_id, True)
    assert len(log_of(tweet)) == 1


def test_what_lies_before_somebody_else_is_theirs_to_decide(owls: Category, tweet: Tweet) -> None:
    take("bob", owls)
    refused = decide("ann", tweet)
    assert (refused.outcome, refused.said, refused.who) == (Outcome.REFUSED, "It lies before bob just now.", "bob")
    assert refused.when == Lease.objects.get().until
    assert log_of(tweet) == []


def test_a_lease_that_ran_out_is_no_hindrance(owls: Category, tweet: Tweet) -> None:
    take("ann", owls)
    assert decide("ann", tweet, now=LATER).outcome == Outcome.DECIDED


def test_a_lease_of_somebody_who_left_is_no_hindrance(owls: Category, tweet: Tweet) -> None:
    take("bob", owls)
    assert decide("ann", tweet, now=LATER).outcome == Outcome.DECIDED


def test_a_decision_after_somebody_elses_is_refused_with_who_and_when(tweet: Tweet) -> None:
    decide("bob", tweet, "reject")
    for verdict in ("approve", "reject", "flag"):
        refused = decide("ann", tweet, verdict)
        assert (refused.outcome, refused.said, refused.who) == (Outcome.REFUSED, "bob rejected it already.", "bob")
        assert refused.when == ModerationEvent.objects.latest("pk").at
    assert len(log_of(tweet)) == 1


def test_a_change_of_mind_is_an_undo(tweet: Tweet) -> None:
    decide("ann", tweet)
    assert decide("ann", tweet, "reject").outcome == Outcome.REFUSED
    undo("ann")
    assert decide("ann", tweet, "reject").outcome == Outcome.DECIDED


def test_a_tweet_that_never_was_is_refused(db: None, tweet: Tweet) -> None:
    refused = queue.decide(tweet_id=tweet.pk + 1, by=moderator("ann"), verdict="approve", now=NOON)
    assert (refused.outcome, refused.said) == (Outcome.REFUSED, "There is no such tweet.")


def test_a_flag_asks_somebody_else(owls: Category, tweet: Tweet) -> None:
    assert decide("ann", tweet, "flag", "is that a quote?").outcome == Outcome.WAITS
    assert now_of(tweet) == ("pending", "second", "ann")
    assert flags_of(tweet) == {"opinion"}
    assert log_of(tweet) == [("ann", "pending", "pending", "second opinion wanted: is that a quote?")]
    assert take("ann", owls) == []
    [item] = queue.take(by=moderator("bob"), category=owls, count=1, now=NOON)
    assert [(note.flag, note.detail) for note in item.notes] == [("opinion", "is that a quote?")]
    assert decide("ann", tweet, "approve").said == "It lies before bob just now."
    assert decide("bob", tweet, "flag").outcome == Outcome.WAITS
    assert take("ann", owls) == take("bob", owls) == []
    assert decide("cem", tweet).outcome == Outcome.DECIDED


def test_of_two_neither_knows_that_there_are_two(in_twos: Category, tweet: Tweet) -> None:
    assert decide("ann", tweet).outcome == Outcome.WAITS
    assert take("ann", in_twos) == []
    [item] = queue.take(by=moderator("bob"), category=in_twos, count=1, now=NOON)
    assert (item.notes, item.opinions) == ((), ())


def test_two_who_agree_decide(in_twos: Category, tweet: Tweet) -> None:
    decide("ann", tweet, "reject", "3")
    assert now_of(tweet) == ("pending", "second", "ann")
    assert decide("bob", tweet, "reject", "4").outcome == Outcome.DECIDED
    assert log_of(tweet) == [
        ("ann", "pending", "pending", "one of two: reject: unsafe or cruel"),
        ("bob", "pending", "rejected", "personal data"),
    ]
    assert Review.objects.filter(tweet=tweet, verdict="reject").count() == 2
    # The first of two who comes back to it was not overruled.
    assert decide("ann", tweet, "reject").said == "bob rejected it already."


def test_two_who_disagree_leave_it_to_a_third(in_twos: Category, tweet: Tweet) -> None:
    decide("ann", tweet)
    assert decide("bob", tweet, "reject", "3").outcome == Outcome.DISPUTED
    assert now_of(tweet) == ("pending", "disputed", "bob")
    for name in ("ann", "bob", "cem"):
        assert take(name, in_twos) == []
    assert take("ann", in_twos, disputed=True) == take("bob", in_twos, disputed=True) == []
    [item] = queue.take(by=moderator("cem"), category=in_twos, count=1, now=NOON, disputed=True)
    assert [(said.by, said.verdict, said.reason) for said in item.opinions] == [
        ("ann", "approve", ""),
        ("bob", "reject", "unsafe or cruel"),
    ]
    assert decide("cem", tweet).outcome == Outcome.DECIDED
    assert now_of(tweet)[0] == "approved"


def test_only_a_share_goes_to_two(owls: Category, waiting: Waiting) -> None:
    owls.double_share = 0.3
    owls.save()
    tweets = waiting(count=40)
    waits = [decide("ann", tweet).outcome == Outcome.WAITS for tweet in tweets]
    assert waits == [goes_to_two(bytes(tweet.fingerprint), 0.3) for tweet in tweets]
    assert (waits.count(True), waits.count(False)) == (17, 23)


def test_what_one_has_looked_at_stays_with_two_when_the_share_is_lowered(in_twos: Category, tweet: Tweet) -> None:
    decide("ann", tweet)
    in_twos.double_share = 0.0
    in_twos.save()
    assert decide("bob", tweet, "reject").outcome == Outcome.DISPUTED


def test_undo_puts_it_back_before_whoever_undid_it(owls: Category, tweet: Tweet) -> None:
    decision = decide("ann", tweet, "reject", "3")
    undone = undo("ann")
    assert (undone.outcome, undone.tweet_id, undone.status) == (Outcome.UNDONE, tweet.pk, "pending")
    assert log_of(tweet)[1:] == [("ann", "rejected", "pending", "undone")]
    assert ModerationEvent.objects.latest("pk").undoes_id == decision.event_id
    assert take("bob", owls) == []
    assert take("ann", owls) == [tweet.pk]


def test_undoing_again_goes_further_back(waiting: Waiting) -> None:
    tweets = waiting(count=3)
    for tweet, verdict in zip(tweets, ("approve", "reject", "flag"), strict=True):
        decide("ann", tweet, verdict)
    assert [undo("ann").tweet_id for _ in tweets] == [tweet.pk for tweet in reversed(tweets)]
    assert undo("ann").said == "There is nothing to undo."
    assert {now_of(tweet) for tweet in tweets} == {("pending", "fresh", None)}
    assert not Review.objects.exists()
    assert not any(map(flags_of, tweets))


def test_nobody_undoes_what_others_did(waiting: Waiting) -> None:
    first, second = waiting(count=2)
    decide("ann", first)
    decide("bob", second)
    assert undo("ann").tweet_id == first.pk
    assert undo("ann").outcome == Outcome.REFUSED


def test_an_undo_after_somebody_elses_change_is_refused_with_the_reason(waiting: Waiting) -> None:
    older, tweet = waiting(count=2)
    decide("ann", older)
    decide("ann", tweet)
    moderate_tweets(tweets=Q(pk=tweet.pk), by=moderator("bob"), after=Status.REJECTED)
    refused = undo("ann")
    assert (refused.outcome, refused.said, refused.who) == (Outcome.REFUSED, "Not undone: bob rejected it since.", "bob")
    assert refused.when == ModerationEvent.objects.latest("pk").at
    assert now_of(tweet)[0] == "rejected"
    # Ann may go on with what she did before that.
    assert undo("ann", before=refused.event_id).tweet_id == older.pk


def test_an_undo_of_what_somebody_else_undid_says_who(waiting: Waiting) -> None:
    older, tweet = waiting(count=2)
    event = decide("ann", tweet)
    assert queue.undo_event(event=ModerationEvent.objects.get(), by=moderator("bob"), now=NOON).outcome == Outcome.UNDONE
    expected = Decision(
        Outcome.REFUSED,
        "Not undone: bob undid it already.",
        tweet.pk,
        "pending",
        event.event_id,
        who="bob",
        when=ModerationEvent.objects.latest("pk").at,
    )
    assert undo("ann") == expected
    assert queue.undo(by=moderator("ann"), now=NOON, tweet_id=tweet.pk) == expected
    assert queue.undo_event(event=ModerationEvent.objects.earliest("pk"), by=moderator("ann"), now=NOON) == expected
    assert undo("ann", before=event.event_id).said == "There is nothing to undo."
    # What she did on other tweets can still be undone.
    decide("ann", older)
    assert undo("ann").tweet_id == older.pk


def test_what_somebody_else_did_and_undid_is_no_hindrance(tweet: Tweet) -> None:
    decide("ann", tweet, "flag")
    decide("bob", tweet)
    undo("bob")
    leases.release_leases(by=moderator("bob"))
    assert undo("ann").outcome == Outcome.UNDONE
    assert now_of(tweet) == ("pending", "fresh", None)


def test_an_undo_waits_for_whoever_has_the_tweet_before_them(owls: Category, tweet: Tweet) -> None:
    decide("ann", tweet, "flag")
    take("bob", owls)
    assert undo("ann").said == "Not undone: it lies before bob just now."
    assert undo("ann", now=LATER).outcome == Outcome.UNDONE


def test_undoing_the_second_of_two_leaves_the_first(in_twos: Category, tweet: Tweet) -> None:
    decide("ann", tweet)
    decide("bob", tweet)
    undo("bob")
    assert now_of(tweet) == ("pending", "second", "ann")
    assert take("bob", in_twos) == [tweet.pk]
    assert decide("bob", tweet, "reject").outcome == Outcome.DISPUTED
    undo("bob")
    assert now_of(tweet) == ("pending", "second", "ann")


def test_bulk_actions_and_withdrawals_are_not_undone_step_by_step(waiting: Waiting) -> None:
    decided, in_bulk, withdrawn = waiting(count=3)
    decide("ann", decided)
    ann = moderator("ann")
    bulk = BulkAction.objects.create(by=ann, after=Status.APPROVED)
    ModerationEvent.objects.create(tweet=in_bulk, by=ann, before="pending", after="approved", bulk=bulk)
    ModerationEvent.objects.create(tweet=withdrawn, by=ann, before="pending", after="withdrawn")
    assert undo("ann").tweet_id == decided.pk
    assert undo("ann").outcome == Outcome.REFUSED


def test_what_waits_is_counted_by_stage(in_twos: Category, waiting: Waiting) -> None:
    first, second, *_ = waiting(count=5)
    decide("ann", first)
    decide("ann", second)
    decide("bob", second, "reject")
    assert queue.remaining(category=in_twos) == queue.Counts(fresh=Count(3), second=Count(1), disputed=Count(1))


STEPS = st.tuples(
    st.sampled_from(["ann", "bob", "cem"]), st.sampled_from(["approve", "reject", "flag", "undo", "release"]), st.integers(0, 3)
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=14), share=st.sampled_from([0.0, 0.5, 1.0]))
def test_whatever_people_do_the_log_tells_how_things_came_to_be(waiting: Waiting, owls: Category, steps: list, share: float) -> None:
    """Let three people take, decide, undo and leave in any order, and tell every tweet's status and place from the log and looks alone."""
    with transaction.atomic():
        Category.objects.update(double_share=share)
        tweets = waiting(count=4)
        for name, step, place in steps:
            if step == "undo":
                undo(name)
            elif step == "release":
                leases.release_leases(by=moderator(name))
            else:
                take(name, owls, count=2)
                decide(name, tweets[place], step)
            _check()
        transaction.set_rollback(True)


def _by_tweet(rows: QuerySet[Any]) -> dict[int, list[Any]]:
    grouped = defaultdict(list)
    for row in rows:
        grouped[row.tweet_id].append(row)
    return grouped


def _check() -> None:
    events, looks = _by_tweet(ModerationEvent.objects.order_by("pk")), _by_tweet(Review.objects.order_by("pk"))
    flags, holders = _by_tweet(TweetFlag.objects.filter(flag="opinion")), dict(Lease.objects.values_list("tweet", "by"))
    for tweet in Tweet.objects.all():
        _check_one(tweet, events[tweet.pk], looks[tweet.pk], bool(flags[tweet.pk]), holders.get(tweet.pk))


def _check_one(tweet: Tweet, events: list[ModerationEvent], looks: list[Review], flagged: bool, holder: int | None) -> None:
    # Each begins where the one before ended.
    assert [event.before for event in events] == ["pending", *(event.after for event in events)][: len(events)]
    assert tweet.status == (events[-1].after if events else "pending")
    undone = {event.undoes_id for event in events if event.undoes_id}
    standing = [event for event in events if event.pk not in undone and not event.undoes_id]
    # One decision at most, after which nothing came.
    assert [event for event in standing if event.after != "pending"] == (standing[-1:] if tweet.status != "pending" else [])
    # Every look that stands, and with the second of two also the decision.
    assert (
        {event.pk for event in standing if event.after == "pending"}
        <= {look.event_id for look in looks}
        <= {event.pk for event in standing}
    )
    people = [look.by_id for look in looks]
    assert len(set(people)) == len(people)
    said = {look.verdict for look in looks} - {"flag"}
    if tweet.status == "pending":
        assert tweet.stage == ("disputed" if len(said) == 2 else "second" if looks else "fresh")
        assert tweet.looked_by_id == (people[-1] if people else None)
    assert flagged == any(look.verdict == "flag" for look in looks)
    # Nobody has a tweet before them that they have looked at.
    assert tweet.status != "pending" or holder not in people
