"""The queue: who is given which tweet, what they decide, alone or in twos, and how each step is undone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from game.moderation import leases, search
from game.moderation.flags import look_through
from game.moderation.models import Lease, Review
from game.moderation.rules import REASONS, Verdict, goes_to_two
from game.moderation.search import Filters
from game.moderation.selectors import Item, read_items
from game.pool.models import Category, ModerationEvent, Stage, Status, Tweet, TweetFlag

# Tweets that one page may hold at once.
AT_MOST = 100
# So often others are looked for in place of those that rules have just decided.
_ROUNDS = 5
# With this begins what the log says of a verdict that waits for another.
ONE_OF_TWO = "one of two"
_AFTER = {Verdict.APPROVE: Status.APPROVED, Verdict.REJECT: Status.REJECTED}
_DONE = {Status.APPROVED: "approved it", Status.REJECTED: "rejected it", Status.WITHDRAWN: "withdrew it", Status.PENDING: "looked at it"}


class Outcome(StrEnum):
    """What became of a tweet."""

    DECIDED = "decided"
    # Somebody else looks at it too: by lot, or because they were asked to.
    WAITS = "waits for another person"
    DISPUTED = "two people disagree"
    UNDONE = "undone"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of it, in one sentence too; of a refusal, who stands in the way and since or until when."""

    outcome: Outcome
    said: str
    tweet_id: int | None = None
    status: str = ""
    event_id: int | None = None
    # The same was asked before, and nothing was done this time.
    repeated: bool = False
    who: str = ""
    when: datetime | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What waits in a queue, whoever it waits for."""

    fresh: search.Count
    second: search.Count
    disputed: search.Count


def take(
    *,
    by: User,
    category: Category,
    filters: Filters | None = None,
    count: int,
    now: datetime,
    blind: bool = True,
    disputed: bool = False,
) -> list[Item]:
    """Lease up to `count` pending tweets to `by`, and return them: first those that lie before `by` already, then the oldest.

    Nobody gets a tweet that lies before somebody else, or one that they have looked at themselves. `disputed` asks for those
    on which two people disagree instead. Unless `blind`, the items say who wrote them.
    """
    pending, ids = _pending(category, filters), list[int]()
    for _ in range(_ROUNDS):
        ids = leases.lease_tweets(pending=pending, by=by, count=min(count, AT_MOST), now=now, disputed=disputed)
        # The clock has not come by yet; rules may decide some of them.
        new = list(Tweet.objects.filter(pk__in=ids, checked_at=None).values_list("pk", flat=True))
        gone = _look_through(new) if new else set()
        ids = [pk for pk in ids if pk not in gone]
        if not gone:
            break
    return read_items(ids, blind=blind, opinions=disputed)


def _look_through(ids: Sequence[int]) -> set[int]:
    """Have tweets looked through before anybody sees them; return those that rules have taken out of the queue."""
    look_through(ids)
    gone = set(Tweet.objects.filter(pk__in=ids).exclude(status=Status.PENDING).values_list("pk", flat=True))
    Lease.objects.filter(tweet__in=gone).delete()
    return gone


def remaining(*, category: Category, filters: Filters | None = None) -> Counts:
    """Count what waits in a category."""
    pending = _pending(category, filters)
    return Counts(*(search.count(pending.filter(stage=stage)) for stage in (Stage.FRESH, Stage.SECOND, Stage.DISPUTED)))


def _pending(category: Category, filters: Filters | None) -> QuerySet[Tweet]:
    return Tweet.objects.filter(filters.to_q() if filters else Q(), category=category, status=Status.PENDING)


@transaction.atomic
def decide(
    *, tweet_id: int, by: User, verdict: str, reason: str = "", now: datetime, origin_shown: bool = False, settles: bool = False
) -> Decision:
    """Let `by` approve, reject or flag a pending tweet, and log it; asked again for the same, do nothing and say the same.

    `reason` is a digit of REASONS or any words. Where two people decide, the first verdict only waits for the second. With
    `settles` one who disagreed may decide in the end. Refused: a tweet before somebody else, or decided by somebody else.
    """
    verdict, reason = Verdict(verdict), REASONS.get(reason, reason)[:180]
    tweet = Tweet.objects.select_for_update(of=("self",), no_key=True).select_related("category").filter(pk=tweet_id).first()
    if tweet is None:
        return Decision(Outcome.REFUSED, "There is no such tweet.", tweet_id)
    if tweet.status != Status.PENDING:
        return _answer_decided(tweet, by, verdict)
    if holder := leases.find_holder(tweet_id=tweet_id, besides=by, now=now):
        said = f"It lies before {holder.by} just now."
        return Decision(Outcome.REFUSED, said, tweet_id, tweet.status, who=str(holder.by), when=holder.until)
    leases.release_leases(by=by, tweet_ids=[tweet_id])
    looks = list(Review.objects.filter(tweet=tweet).order_by("pk"))
    mine = next((look for look in looks if look.by_id == by.pk), None)
    if mine and not settles:
        return _answer_looked(tweet, mine, verdict)
    if verdict == Verdict.FLAG:
        return _look(tweet, by, verdict, reason, origin_shown)
    said_by_others = {look.verdict for look in looks} - {Verdict.FLAG}
    in_twos = said_by_others or goes_to_two(bytes(tweet.fingerprint), tweet.category.double_share)
    if tweet.stage == Stage.DISPUTED or not in_twos:
        return _finish(tweet, by, verdict, reason, origin_shown)
    if said_by_others == {verdict}:
        decision = _finish(tweet, by, verdict, reason, origin_shown)
        assert decision.event_id
        Review.objects.create(tweet=tweet, by=by, verdict=verdict, reason=reason, event_id=decision.event_id)
        return decision
    return _look(tweet, by, verdict, reason, origin_shown)


def _answer_decided(tweet: Tweet, by: User, verdict: Verdict) -> Decision:
    last = _standing(tweet).select_related("by").first()
    if last and last.by_id == by.pk and _AFTER.get(verdict) == tweet.status:
        return Decision(Outcome.DECIDED, _say(tweet.status, last.reason), tweet.pk, tweet.status, last.pk, repeated=True)
    who = _name(last)
    said = f"{who} {_DONE[Status(tweet.status)]} already." if last else f"It is {tweet.status} already."
    return Decision(Outcome.REFUSED, said, tweet.pk, tweet.status, who=who, when=last.at if last else None)


def _answer_looked(tweet: Tweet, mine: Review, verdict: Verdict) -> Decision:
    if mine.verdict == verdict:
        return Decision(*_WAITING[Stage(tweet.stage)], tweet.pk, tweet.status, mine.event_id, repeated=True)
    return Decision(Outcome.REFUSED, f"You said “{mine.verdict}” before: undo that first.", tweet.pk, tweet.status, when=mine.at)


_WAITING = {
    Stage.SECOND: (Outcome.WAITS, "Noted; somebody else looks at it too."),
    Stage.DISPUTED: (Outcome.DISPUTED, "Noted; another person thinks otherwise, so a third one settles it."),
}


def _look(tweet: Tweet, by: User, verdict: Verdict, reason: str, origin_shown: bool) -> Decision:
    """Note what `by` thinks, and leave the tweet to others."""
    said = "second opinion wanted" if verdict == Verdict.FLAG else f"{ONE_OF_TWO}: {verdict}"
    event = _log(tweet, by, Status.PENDING, ": ".join(filter(None, (said, reason))), origin_shown)
    Review.objects.create(tweet=tweet, by=by, verdict=verdict, reason=reason, event=event)
    if verdict == Verdict.FLAG:
        TweetFlag.objects.get_or_create(tweet=tweet, flag=TweetFlag.Flag.OPINION, defaults={"by": by, "detail": reason})
    _place(tweet)
    return Decision(*_WAITING[Stage(tweet.stage)], tweet.pk, tweet.status, event.pk)


def _finish(tweet: Tweet, by: User, verdict: Verdict, reason: str, origin_shown: bool) -> Decision:
    after = _AFTER[verdict]
    event = _log(tweet, by, after, reason, origin_shown)
    Tweet.objects.filter(pk=tweet.pk).update(status=after)
    return Decision(Outcome.DECIDED, _say(after, reason), tweet.pk, after, event.pk)


def _log(tweet: Tweet, by: User, after: str, reason: str, origin_shown: bool = False, undoes: int | None = None) -> ModerationEvent:
    return ModerationEvent.objects.create(
        tweet=tweet, by=by, before=tweet.status, after=after, reason=reason, origin_shown=origin_shown, undoes_id=undoes
    )


def _place(tweet: Tweet) -> None:
    """Put a tweet where the looks at it say that it belongs."""
    looks = list(Review.objects.filter(tweet=tweet).order_by("pk"))
    verdicts = {look.verdict for look in looks} - {Verdict.FLAG}
    tweet.stage = Stage.DISPUTED if len(verdicts) > 1 else Stage.SECOND if looks else Stage.FRESH
    tweet.looked_by_id = looks[-1].by_id if looks else None
    tweet.save(update_fields=["stage", "looked_by"])


def _standing(tweet: Tweet) -> QuerySet[ModerationEvent]:
    """Return the tweet's events that were not undone, the last one first."""
    return tweet.moderation_events.filter(undoes=None, undone_by=None).order_by("-pk")


def _say(status: str, reason: str) -> str:
    return f"{status.capitalize()}: {reason}." if reason else f"{status.capitalize()}."


def _name(event: ModerationEvent | None) -> str:
    return "" if event is None else event.by.get_username() if event.by else "A rule"


def undo(*, by: User, now: datetime, before: int | None = None, tweet_id: int | None = None) -> Decision:
    """Undo the last decision of `by` in the queue, and lay the tweet before them again; asked once more, the one before it.

    What many tweets had in common is undone by `bulk.undo_bulk`, a withdrawal not at all. Refused if somebody has changed the
    tweet since. `before`, the event of a refused one, asks for what came before it; `tweet_id` for what was decided on that tweet
    alone, so that asking again, because the answer was lost, does nothing more.
    """
    done = ModerationEvent.objects.filter(by=by, bulk=None, undoes=None).order_by("-pk")
    done = done.exclude(before=Status.WITHDRAWN).exclude(after=Status.WITHDRAWN)
    if before is not None:
        done = done.filter(pk__lt=before)
    if tweet_id is not None:
        done = done.filter(tweet=tweet_id)
        last = ModerationEvent.objects.filter(tweet=tweet_id).first()
        if last and last.undoes_id and last.by_id == by.pk:
            return Decision(Outcome.UNDONE, "Undone.", tweet_id, last.after, last.pk, repeated=True)
    while event := done.filter(undone_by=None).first():
        if decision := _undo(event, by, now):
            return decision
    if (event := done.select_related("tweet", "undone_by__by").first()) and event.undone_by.by_id != by.pk:
        return _answer_undone(event)
    return Decision(Outcome.REFUSED, "There is nothing to undo.")


def _answer_undone(event: ModerationEvent) -> Decision:
    undoing = event.undone_by
    who = _name(undoing)
    said = f"Not undone: {who} undid it already."
    return Decision(Outcome.REFUSED, said, event.tweet_id, event.tweet.status, event.pk, who=who, when=undoing.at)


def undo_event(*, event: ModerationEvent, by: User, now: datetime) -> Decision:
    """Undo the last step of a tweet, whoever did it, a withdrawal too; refused as `undo` is, and where its words are gone."""
    if not event.tweet.text:
        return Decision(Outcome.REFUSED, "Not undone: its words are gone for good.", event.tweet_id, event.tweet.status, event.pk)
    if event.undoes_id:
        return Decision(Outcome.REFUSED, "That was an undoing itself.", event.tweet_id, event.tweet.status, event.pk)
    return _undo(event, by, now) or _answer_undone(event)


@transaction.atomic
def _undo(event: ModerationEvent, by: User, now: datetime) -> Decision | None:
    """Undo an event; None if it was undone meanwhile: by a key that was pressed twice, or by somebody else."""
    tweet = Tweet.objects.select_for_update(no_key=True).get(pk=event.tweet_id)
    if ModerationEvent.objects.filter(undoes=event).exists():
        return None
    later = _standing(tweet).filter(pk__gt=event.pk).select_related("by").first()
    if later or tweet.status != event.after:
        who = _name(later)
        said = f"{who} {_DONE[Status(later.after)]} since." if later else f"It is {tweet.status} now."
        return Decision(Outcome.REFUSED, f"Not undone: {said}", tweet.pk, tweet.status, event.pk, who=who, when=later.at if later else None)
    if holder := leases.find_holder(tweet_id=tweet.pk, besides=by, now=now):
        said = f"Not undone: it lies before {holder.by} just now."
        return Decision(Outcome.REFUSED, said, tweet.pk, tweet.status, event.pk, who=str(holder.by), when=holder.until)
    undone = _log(tweet, by, event.before, "undone", undoes=event.pk)
    Review.objects.filter(event=event).delete()
    if not Review.objects.filter(tweet=tweet, verdict=Verdict.FLAG).exists():
        TweetFlag.objects.filter(tweet=tweet, flag=TweetFlag.Flag.OPINION).delete()
    Tweet.objects.filter(pk=tweet.pk).update(status=event.before)
    _place(tweet)
    if event.before == Status.PENDING:
        leases.lease_one(tweet_id=tweet.pk, by=by, now=now)
    return Decision(Outcome.UNDONE, "Undone.", tweet.pk, event.before, undone.pk)
