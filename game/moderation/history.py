"""What was done: to one tweet, and by everybody."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from django.db.models import Q, QuerySet

from game.downloads import csv_lines
from game.moderation.categories import NAMES, in_words
from game.moderation.models import Review, Takedown, TweetReport
from game.moderation.queue import ONE_OF_TWO
from game.moderation.search import BadFilter, read_days
from game.play.models import Card, Tally
from game.pool.models import BannedText, CategoryEvent, ModerationEvent, Stage, Status, Tweet, TweetFlag

PAGE = 100
CHUNK = 2_000
COLUMNS = ("at", "who", "what", "on", "category", "before", "after", "reason", "bulk", "undoes")
TWEETS, CATEGORIES, TAKEDOWNS, UNDONE = "tweets", "categories", "takedowns", "undone"
WHAT = {
    TWEETS: "Tweets",
    **{status.value: f"Tweets {status.value}" for status in Status},
    UNDONE: "Undone",
    CATEGORIES: "Categories",
    TAKEDOWNS: "Takedowns",
}


@dataclass(frozen=True, slots=True)
class Query:
    """Which part of the log is asked for: who (`nobody` is a rule or a command), from when and until before when (days are UTC), what."""

    who: str = ""
    since: datetime | None = None
    end: datetime | None = None
    what: str = TWEETS

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        """Read it from a page's address; raises BadFilter."""
        what = query.get("what") or TWEETS
        if what not in WHAT:
            raise BadFilter(f"what: “{what[:40]}” is none of {', '.join(WHAT)}.")
        since, end = read_days(*((query.get(name) or "").strip() for name in ("since", "until")))
        return cls(who=(query.get("who") or "").replace("\x00", "").strip(), since=since, end=end, what=what)

    def to_q(self) -> Q:
        """Return the condition on whatever table."""
        q = Q()
        if self.who:
            q &= Q(by=None) if self.who == "nobody" else Q(by__username__iexact=self.who)
        if self.since:
            q &= Q(at__gte=self.since)
        if self.end:
            q &= Q(at__lt=self.end)
        return q


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log."""

    pk: int
    at: datetime
    who: str
    what: str
    on: str
    category: str
    before: str
    after: str
    reason: str
    bulk: int | None = None
    undoes: int | None = None

    def cells(self) -> list[str]:
        """Return what a spreadsheet gets, in the order of COLUMNS; nothing in it is taken for a formula."""
        values = (self.at.astimezone(UTC).isoformat(timespec="seconds"), self.who, self.what, self.on, self.category)
        rest = (self.before, self.after, self.reason, self.bulk or "", self.undoes or "")
        return [str(value) for value in (*values, *rest)]


# Said of who looked while that would tell who thinks what.
SOMEBODY = "somebody"


def _left_pending() -> Q:
    """Return the condition on ModerationEvent for looks, and what undid them, at tweets that are still to be decided."""
    return Q(before=Status.PENDING, after=Status.PENDING, tweet__status=Status.PENDING)


def _told(event: ModerationEvent, tweet: Tweet) -> tuple[str, str]:
    """Return who and why, as far as it may be told: of one of two, no verdict until the tweet is decided; where they differ, no name."""
    if tweet.status != Status.PENDING or not event.before == event.after == Status.PENDING:
        return _who(event), event.reason
    who = SOMEBODY if tweet.stage == Stage.DISPUTED else _who(event)
    return who, ONE_OF_TWO if event.reason.startswith(ONE_OF_TWO) else event.reason


def _of_event(event: ModerationEvent) -> Line:
    tweet = event.tweet
    who, reason = _told(event, tweet)
    what = UNDONE if event.undoes_id else "looked" if event.before == event.after else event.after
    on, category = f"tweet {tweet.pk}", tweet.category.slug
    return Line(event.pk, event.at, who, what, on, category, event.before, event.after, reason, event.bulk_id, event.undoes_id)


def _of_category(event: CategoryEvent) -> Line:
    slug = event.category.slug
    what = "changed" if event.before else "created"
    return Line(event.pk, event.at, _who(event), what, f"category {slug}", slug, _spell(event.before), _spell(event.after), "")


def _of_takedown(takedown: Takedown) -> Line:
    where = ", ".join(takedown.categories)
    after = f"{takedown.tweets} erased, {takedown.cards} cards replaced"
    on = f"{takedown.number}: {takedown.target}"
    return Line(takedown.pk, takedown.at, _who(takedown), "taken down", on, where, "", after, takedown.reason)


def _who(row: Any) -> str:
    return row.by.get_username() if row.by else "nobody"


def _spell(fields: Mapping[str, Any]) -> str:
    return "; ".join(f"{NAMES.get(name, name)}: {in_words(name, value)}" for name, value in fields.items())


def _source(query: Query) -> tuple[QuerySet[Any], Callable[[Any], Line]]:
    if query.what == CATEGORIES:
        return CategoryEvent.objects.filter(query.to_q()).select_related("by", "category").order_by("-pk"), _of_category
    if query.what == TAKEDOWNS:
        return Takedown.objects.filter(query.to_q()).select_related("by").order_by("-pk"), _of_takedown
    events = ModerationEvent.objects.filter(query.to_q())
    if query.who:
        # To find a look by its name would be to tell the name.
        events = events.exclude(_left_pending(), tweet__stage=Stage.DISPUTED)
    if query.what == UNDONE:
        events = events.exclude(undoes=None)
    elif query.what != TWEETS:
        events = events.filter(after=query.what)
    # Words of tweets are not in the log: what is erased is gone from it too.
    return events.select_related("by", "tweet__category").defer("tweet__text", "tweet__facts").order_by("-pk"), _of_event


def read_log(query: Query, *, below: int | None = None, count: int = PAGE) -> list[Line]:
    """Return lines of the log, the newest first: those with a lesser number than `below`."""
    rows, to_line = _source(query)
    if below is not None:
        rows = rows.filter(pk__lt=below)
    return [to_line(row) for row in rows[:count]]


def write_csv(query: Query) -> Iterator[str]:
    """Yield the log as CSV, some lines at a time; what it asks of the database does not grow with the log."""
    yield csv_lines([list(COLUMNS)])
    below = None
    while lines := read_log(query, below=below, count=CHUNK):
        yield csv_lines(line.cells() for line in lines)
        below = lines[-1].pk


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a tweet. `undone` says that a later one took it back."""

    at: datetime
    who: str
    what: str
    detail: str
    undone: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """All that happened to a tweet, the newest first; the step that can be undone now, if there is one."""

    tweet: Tweet
    steps: list[Step]
    dealt: int
    said_human: int
    said_machine: int
    last: ModerationEvent | None
    receipt: Takedown | None


def read_history(tweet: Tweet) -> History:
    """Read what happened to a tweet: decisions, looks, flags, reports, takedown, and how often it was played.

    While it is pending nothing tells what one of two people said of it, and where they differ nothing tells who they are.
    """
    events = list(tweet.moderation_events.select_related("by", "bulk", "undone_by").order_by("-pk"))
    steps = [
        Step(event.at, who, _say(event), " · ".join(filter(None, [reason, _how(event)])), undone=hasattr(event, "undone_by"))
        for event in events
        for who, reason in [_told(event, tweet)]
    ]
    steps += [
        Step(flag.at, _who(flag), f"flag: {flag.get_flag_display()}", flag.detail)
        for flag in TweetFlag.objects.filter(tweet=tweet).select_related("by")
    ]
    # Who reported is not for moderators to know.
    steps += [Step(report.at, "a player", "reported", report.reason) for report in TweetReport.objects.filter(tweet=tweet)]
    steps += [
        Step(review.at, review.by.get_username(), f"said {review.verdict}", review.reason)
        for review in Review.objects.filter(tweet=tweet).exclude(tweet__status=Status.PENDING).select_related("by")
    ]
    tally = Tally.objects.filter(tweet=tweet).first()
    banned = BannedText.objects.filter(fingerprint=bytes(tweet.fingerprint)).first()
    return History(
        tweet=tweet,
        steps=sorted(steps, key=lambda step: step.at, reverse=True),
        dealt=Card.objects.filter(tweet=tweet).count(),
        said_human=tally.said_human if tally else 0,
        said_machine=tally.said_machine if tally else 0,
        last=next((event for event in events if not event.undoes_id and not hasattr(event, "undone_by")), None) if tweet.text else None,
        receipt=Takedown.objects.filter(number=banned.note).first() if banned else None,
    )


def _say(event: ModerationEvent) -> str:
    return "looked, and left it pending" if event.before == event.after else f"{event.before} → {event.after}"


def _how(event: ModerationEvent) -> str:
    many = f"many at once (action {event.bulk_id})" if event.bulk_id else ""
    return " · ".join(filter(None, [many, "the origin was shown" if event.origin_shown else ""]))
