"""One tweet, decided on from its own page: out of play, back to the queue, or as the queue would."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from game.moderation import leases, queue
from game.moderation.queue import Decision, Outcome
from game.moderation.rules import Verdict
from game.pool.models import Status, Tweet
from game.pool.services import moderate_tweets

# What a tweet can become, by what it is. A takedown, which can't be undone, has a page of its own.
CHANGES: dict[str, tuple[str, ...]] = {
    Status.PENDING: (Status.APPROVED, Status.REJECTED, Status.WITHDRAWN),
    Status.APPROVED: (Status.WITHDRAWN, Status.PENDING),
    Status.REJECTED: (Status.PENDING, Status.WITHDRAWN),
    Status.WITHDRAWN: (Status.PENDING,),
}
_VERDICTS = {Status.APPROVED: Verdict.APPROVE, Status.REJECTED: Verdict.REJECT}
_DONE = {Status.WITHDRAWN: "Withdrawn.", Status.PENDING: "Back in the queue."}
# Whoever takes a tweet out says why.
NEEDS_REASON = (Status.REJECTED, Status.WITHDRAWN)


@transaction.atomic
def change_tweet(*, tweet_id: int, by: User, before: str, after: str, reason: str = "", now: datetime) -> Decision:
    """Give a tweet that is `before` the status `after`, by one event; what is pending is decided as in the queue, by two where two decide.

    Refused: what CHANGES does not hold, a tweet that is something else by now, lies before somebody else or has lost its words, and
    taking one out without a reason.
    """
    tweet = Tweet.objects.select_for_update(no_key=True).get(pk=tweet_id)

    def refuse(said: str) -> Decision:
        return Decision(Outcome.REFUSED, f"Nothing was done: {said}", tweet.pk, tweet.status)

    if tweet.status != before:
        return refuse(f"it is {tweet.status} by now.")
    if after not in CHANGES[tweet.status] or not tweet.text:
        return refuse(f"what is {tweet.status} does not become {after[:20]} here.")
    if after in NEEDS_REASON and not reason:
        return refuse("say why.")
    if tweet.status == Status.PENDING and after in _VERDICTS:
        # The page has told who wrote it.
        return queue.decide(tweet_id=tweet.pk, by=by, verdict=_VERDICTS[Status(after)], reason=reason, now=now, origin_shown=True)
    if holder := leases.find_holder(tweet_id=tweet.pk, besides=by, now=now):
        return refuse(f"it lies before {holder.by} just now.")
    moderate_tweets(tweets=Q(pk=tweet.pk), by=by, after=after, reason=reason)
    return Decision(Outcome.DECIDED, _DONE[Status(after)], tweet.pk, after)
