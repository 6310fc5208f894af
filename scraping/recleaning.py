"""Stored posts through the cleaning of today: what an earlier one kept or dropped is decided again.

Nothing that a person decided is decided again, and what is withdrawn stays so.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from game.pool.models import Category, Kind, ModerationEvent, Status, Tweet
from game.pool.rules import fingerprint
from game.pool.services import NewTweet, add_tweets, find_tweets, get_author, moderate_tweets
from scraping.models import RawPost
from scraping.optouts import read_opt_outs
from scraping.rules import CLEANING_VERSION, Cleaning, Drop, Post, clean
from scraping.store import cleaning_of, read_record

# Posts of one transaction.
BATCH = 500
# What the reason of each rejection begins with: by it the next cleaning knows those of an earlier one.
REASON = "cleaning "
_BY_US = f"{REASON}{CLEANING_VERSION}"


@dataclass(slots=True)
class RecleanReport:
    """What became of every post that was cleaned again."""

    same: int = 0
    changed: int = 0
    kept_now: int = 0
    dropped_now: Counter[Drop] = field(default_factory=Counter)
    # Dropped before and now, for another reason.
    reason_changed: int = 0
    # Cleaning would decide otherwise than somebody did.
    by_people: int = 0

    @property
    def posts(self) -> int:
        """How many were looked at."""
        return self.same + self.changed + self.kept_now + self.dropped_now.total() + self.reason_changed + self.by_people


@dataclass(frozen=True, slots=True)
class _Held:
    """A tweet of the pool, and who decided about it: a person at any time; an earlier cleaning last, which found it in state `before`."""

    tweet: Tweet
    by_person: bool
    before: str

    @property
    def is_open(self) -> bool:
        return self.tweet.status in (Status.PENDING, Status.APPROVED)


@dataclass(slots=True)
class _Wanted:
    """A text that is to be in the pool: of a raw post, or in place of a tweet whose text it changes."""

    new: NewTweet
    raw: RawPost | None
    instead_of: Tweet | None


def reclean(
    *,
    category: Category,
    everything: bool = False,
    dry_run: bool = False,
    report: RecleanReport | None = None,
    tell: Callable[[RecleanReport], None] = lambda report: None,
) -> RecleanReport:
    """Clean again what is stored of `category`, and say what became of it.

    First the raw posts that an earlier cleaning saw last, or `everything`; then the tweets that have no raw post, as files
    bring them, by their texts. Every batch is stored as a whole: interrupted, the next run goes on there.
    `tell` is told how far it is after each batch. A `dry_run` stores nothing.
    """
    report = report or RecleanReport()
    posts = RawPost.objects.filter(feed__category=category, record__isnull=False).exclude(outcome=RawPost.GONE)
    posts = posts if everything else posts.filter(cleaning__lt=CLEANING_VERSION)
    with_raw = RawPost.objects.filter(tweet=OuterRef("pk"), record__isnull=False)
    tweets = Tweet.objects.filter(~Exists(with_raw), category=category, kind=Kind.HUMAN).exclude(text="").exclude(status=Status.WITHDRAWN)
    for rows, weigh in ((posts, _weigh_posts), (tweets, _weigh_tweets)):
        for ids in _batches(rows):
            with transaction.atomic():
                batch = _Batch(category, report)
                weigh(batch, ids)
                batch.store()
                transaction.set_rollback(dry_run)
            tell(report)
    return report


def _batches(rows: QuerySet[Any]) -> Iterator[list[int]]:
    last = 0
    while ids := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        yield ids
        last = ids[-1]


def _hold(ids: Sequence[int | None]) -> dict[int, _Held]:
    events = ModerationEvent.objects.filter(tweet=OuterRef("pk")).order_by("-id")
    ours = events.filter(by=None, reason__startswith=REASON, after=Status.REJECTED).values("before")
    tweets = Tweet.objects.filter(pk__in=[pk for pk in ids if pk]).select_related("author").select_for_update(of=("self",)).order_by("pk")
    last = tweets.annotate(
        by_person=Exists(events.filter(by__isnull=False)),
        last_event=Subquery(events.values("pk")[:1]),
        our_event=Subquery(ours.values("pk")[:1]),
        before=Subquery(ours[:1]),
    )
    return {row.pk: _Held(row, row.by_person, row.before if row.our_event and row.our_event == row.last_event else "") for row in last}


def _weigh_posts(batch: "_Batch", ids: Sequence[int]) -> None:
    opt_outs = read_opt_outs()
    rows = RawPost.objects.filter(pk__in=ids, record__isnull=False).select_for_update(of=("self",)).select_related("feed__category")
    raws = list(rows.order_by("pk"))
    held = _hold([raw.tweet_id for raw in raws])
    for raw in raws:
        post = read_record(raw.record or {})
        if not opt_outs.holds(post.platform, post.handle, raw.feed.account_id):
            batch.weigh(held.get(raw.tweet_id or 0), clean(post, cleaning_of(raw.feed)), raw, post)
        raw.cleaning = CLEANING_VERSION
    batch.raws = raws


def _weigh_tweets(batch: "_Batch", ids: Sequence[int]) -> None:
    cleaning = Cleaning(language=batch.category.language, trailing_links=settings.IMPORT_TRAILING_LINKS)  # type: ignore[arg-type]
    for held in _hold(ids).values():
        if held.is_open or held.before:
            author = held.tweet.author
            batch.weigh(held, clean(Post(text=held.tweet.text, handle=author.handle, platform=author.platform), cleaning), None, None)


@dataclass(slots=True)
class _Batch:
    """What is to be done about some posts: gathered first, then stored in as few statements as will do."""

    category: Category
    report: RecleanReport
    raws: list[RawPost] = field(default_factory=list)
    rejected: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    # Not to be restored by any later cleaning: another tweet has their words.
    replaced: list[int] = field(default_factory=list)
    restored: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    retexted: dict[int, str] = field(default_factory=dict)
    wanted: list[_Wanted] = field(default_factory=list)

    def weigh(self, held: _Held | None, text: str | Drop, raw: RawPost | None, post: Post | None) -> None:
        """Compare what was decided about a post (its tweet, its outcome) with what cleaning makes of it now."""
        if isinstance(text, Drop):
            self._drop(held, text, raw)
        elif held and (raw is None or raw.outcome == RawPost.KEPT):
            self._keep(held, text, raw)
        elif held and held.before and not held.by_person and _same_words(held.tweet, text):
            self._restore(held, text, raw)
        elif raw and post:
            author = get_author(kind=Kind.HUMAN, platform=post.platform, handle=post.handle.casefold(), name=post.name or post.handle)
            self.wanted.append(_Wanted(NewTweet(author, text, post.posted_at, post.facts), raw, None))

    def _drop(self, held: _Held | None, drop: Drop, raw: RawPost | None) -> None:
        own = held if raw is None or raw.outcome == RawPost.KEPT else None
        if own and own.is_open and own.by_person:
            self.report.by_people += 1
        elif own and own.is_open:
            self.rejected[str(drop)].append(own.tweet.pk)
            self.report.dropped_now[drop] += 1
            _note(raw, drop.name)
        elif own or (raw and raw.outcome == drop.name):
            self.report.same += 1
        else:
            self.report.reason_changed += 1
            _note(raw, drop.name)

    def _keep(self, held: _Held, text: str, raw: RawPost | None) -> None:
        if held.before and not held.by_person and _same_words(held.tweet, text):
            self._restore(held, text, raw)
        elif held.tweet.text == text or not held.is_open:
            self.report.same += 1
        elif held.by_person:
            self.report.by_people += 1
        elif _same_words(held.tweet, text):
            self.retexted[held.tweet.pk] = text
            self.report.changed += 1
        else:
            old = held.tweet
            self.replaced.append(old.pk)
            self.wanted.append(_Wanted(NewTweet(old.author, text, old.posted_at, old.facts), raw, old))
            self.report.changed += 1

    def _restore(self, held: _Held, text: str, raw: RawPost | None) -> None:
        self.restored[held.before].append(held.tweet.pk)
        self.retexted[held.tweet.pk] = text
        self.report.kept_now += 1
        _note(raw, RawPost.KEPT)

    def store(self) -> None:
        """Do what was gathered, in the transaction that holds the rows."""
        for reason, ids in self.rejected.items():
            _moderate(ids, Status.REJECTED, f"{_BY_US}: {reason}")
        _moderate(self.replaced, Status.REJECTED, f"text changed by {_BY_US}")
        self._add()
        for before, ids in self.restored.items():
            _moderate(ids, before, f"{_BY_US}: fits again")
        for pk, text in self.retexted.items():
            Tweet.objects.filter(pk=pk).exclude(text=text).update(text=text)
        RawPost.objects.bulk_update(self.raws, ["outcome", "cleaning", "tweet"])
        self._note_pruned()

    def _add(self) -> None:
        texts = [wanted.new.text for wanted in self.wanted]
        added = add_tweets(category=self.category, tweets=[wanted.new for wanted in self.wanted], status=Status.PENDING)
        there = find_tweets(category=self.category, texts=texts)
        held = _hold(there)
        approved = []
        for wanted, pk, found in zip(self.wanted, added, there, strict=True):
            if wanted.raw:
                wanted.raw.tweet_id = found
            if wanted.instead_of and pk and wanted.instead_of.status == Status.APPROVED:
                approved.append(pk)
            if wanted.instead_of is None and wanted.raw:
                self._note_added(wanted, is_new=pk is not None, held=held[found] if found else None)
            elif wanted.instead_of and pk is None:
                _note(wanted.raw, Drop.DUPLICATE.name)
        _moderate(approved, Status.APPROVED, f"{_BY_US}: in place of one that was")

    def _note_added(self, wanted: _Wanted, *, is_new: bool, held: _Held | None) -> None:
        if is_new:
            self.report.kept_now += 1
            _note(wanted.raw, RawPost.KEPT)
        elif held and held.before and not held.by_person:
            # Another post with these words was kept, and is not any more.
            self._restore(held, wanted.new.text, wanted.raw)
        elif wanted.raw and wanted.raw.outcome == Drop.DUPLICATE.name:
            self.report.same += 1
        else:
            self.report.reason_changed += 1
            _note(wanted.raw, Drop.DUPLICATE.name)

    def _note_pruned(self) -> None:
        """Write down for raw posts without their record what became of their tweets."""
        pruned = RawPost.objects.filter(record__isnull=True).exclude(outcome=RawPost.GONE)
        names = {str(drop): drop.name for drop in Drop}
        for reason, ids in self.rejected.items():
            pruned.filter(tweet__in=ids, outcome=RawPost.KEPT).update(outcome=names[reason], cleaning=CLEANING_VERSION)
        for ids in self.restored.values():
            pruned.filter(tweet__in=ids).exclude(outcome=Drop.DUPLICATE.name).update(outcome=RawPost.KEPT, cleaning=CLEANING_VERSION)


def _same_words(tweet: Tweet, text: str) -> bool:
    return bytes(tweet.fingerprint) == fingerprint(text)


def _note(raw: RawPost | None, outcome: str) -> None:
    if raw:
        raw.outcome = outcome


def _moderate(ids: Sequence[int], after: str, reason: str) -> None:
    if ids:
        moderate_tweets(tweets=Q(pk__in=ids), by=None, after=after, reason=reason)
