"""What a moderator looks for among the tweets: filters as the page's address spells them, and full text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

from django.contrib.postgres.search import SearchQuery, SearchVector, SearchVectorExact
from django.db.models import Exists, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Replace

from game.moderation.models import TweetWords
from game.pool.models import Author, Category, Kind, Status, Tweet, TweetFlag
from scraping.rules import PLATFORMS

# Counting stops there: nobody pages through more, and a million would take a second.
COUNTED = 10_000
PAGE = 50
MAX_WORDS = 200
# Of PostgreSQL's text search: words as they are, in whatever language.
CONFIG = "simple"
_WORD = re.compile(r"\w")
_JOINED = re.compile(r"[^\s-]+(?:-+[^\s-]+)+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")


class BadFilter(ValueError):
    """A filter that can't be followed; its message is one line for whoever typed it."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which tweets are meant; an empty field leaves its side open. Days are UTC, both included, and of the posting."""

    category: str = ""
    origin: str = ""
    author: str = ""
    model: str = ""
    flag: str = ""
    status: str = ""
    since: str = ""
    until: str = ""
    words: str = ""

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        """Read the filters of a page's address (its QueryDict, or what `spell` returned); raises BadFilter."""
        given = {field.name: _UNPRINTABLE.sub(" ", str(query.get(field.name) or "")).strip() for field in fields(cls)}
        for name, choices in (("origin", Kind.values), ("flag", TweetFlag.Flag.values), ("status", Status.values)):
            if given[name] and given[name] not in choices:
                raise BadFilter(f"{name}: “{given[name][:40]}” is none of {', '.join(choices)}.")
        read_days(given["since"], given["until"])
        if len(given["words"]) > MAX_WORDS:
            raise BadFilter(f"words: more than {MAX_WORDS} characters.")
        if given["words"] and not _WORD.search(given["words"]):
            raise BadFilter("words: there is no word in that.")
        given["author"] = given["author"].removeprefix("@")
        return cls(**given)

    def spell(self) -> dict[str, str]:
        """Return the fields that say something, as an address spells them."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name))}

    @property
    def tells_origin(self) -> bool:
        """Say whether whoever sees what these filters let through knows who wrote it."""
        return bool(self.origin or self.author or self.model)

    def to_q(self) -> Q:
        """Return the condition on Tweet. It joins no table, so rows that it finds can be locked."""
        q = Q()
        if self.category:
            q &= Q(category__in=Category.objects.filter(slug=self.category).values("pk"))
        if self.origin:
            q &= Q(kind=self.origin)
        if self.author:
            platform, _, handle = self.author.rpartition(":")
            authors = Author.objects.filter(handle__iexact=handle.removeprefix("@"))
            if platform:
                authors = authors.filter(platform=PLATFORMS.get(platform.lower(), platform.lower()))
            q &= Q(author__in=authors.values("pk"))
        if self.model:
            models = Author.objects.filter(Q(handle__iexact=self.model) | Q(name__iexact=self.model), kind=Kind.MACHINE)
            q &= Q(author__in=models.values("pk"))
        if self.flag:
            q &= Q(Exists(TweetFlag.objects.filter(tweet=OuterRef("pk"), flag=self.flag)))
        if self.status:
            q &= Q(status=self.status)
        since, end = read_days(self.since, self.until)
        if since:
            q &= Q(posted_at__gte=since)
        if end:
            q &= Q(posted_at__lt=end)
        if self.words:
            q &= Q(pk__in=_with_words(self.words))
        return q


def _with_words(words: str) -> QuerySet[Any, Any]:
    """Return the ids of tweets with these words, in the language of search engines: quotes, `or`, a minus. Nothing typed is wrong in it."""
    query = SearchQuery(_split_joined(words), config=CONFIG, search_type="websearch")
    # What came just now has not been looked through, and so is not indexed.
    new = Tweet.objects.filter(checked_at=None).filter(
        SearchVectorExact(SearchVector(Replace("text", Value("-"), Value(" "), output_field=TextField()), config=CONFIG), query)
    )
    return TweetWords.objects.filter(words=query).values("tweet").union(new.values("pk"), all=True)


def _split_joined(words: str) -> str:
    """Ask for words that a hyphen joins as for words in a row, which is how they are indexed; a minus before a word stays one.

    PostgreSQL by itself makes one word of `a-b` beside its parts, and so finds neither phrase that ends or begins there.
    """
    parts = words.split('"')
    parts[1::2] = [quoted.replace("-", " ") for quoted in parts[1::2]]
    parts[::2] = [_JOINED.sub(lambda joined: f'"{joined[0].replace("-", " ")}"', loose) for loose in parts[::2]]
    return '"'.join(parts)


def read_days(since: str, until: str) -> tuple[datetime | None, datetime | None]:
    """Return when the days begin that two fields hold, both included, and when they are over; raises BadFilter."""
    begin, last = _day("since", since), _day("until", until)
    if begin and last and begin > last:
        raise BadFilter(f"since: {since} is after {until}.")
    return begin, last and last + timedelta(days=1)


def _day(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        # One that another follows.
        day = min(date.fromisoformat(text), date.max - timedelta(days=1))
    except ValueError as error:
        raise BadFilter(f"{name}: “{text[:40]}” is no day; write it like 2020-05-31.") from error
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are, or that there are more than `n`."""

    n: int
    more: bool = False


def count(tweets: QuerySet[Tweet]) -> Count:
    """Count, as far as it is worth it."""
    found = tweets.order_by().values("pk")[: COUNTED + 1].count()
    return Count(min(found, COUNTED), more=found > COUNTED)


@dataclass(frozen=True, slots=True)
class Page:
    """Tweets that were found, newest first, with author and category; `below` asks for the next page, if there is one."""

    tweets: list[Tweet]
    below: int | None


def find(*, filters: Filters, below: int | None = None) -> Page:
    """Find tweets, a page of them: those with an id less than `below`."""
    tweets = Tweet.objects.filter(filters.to_q()).select_related("author", "category").prefetch_related("flags")
    if below is not None:
        tweets = tweets.filter(pk__lt=below)
    rows = list(tweets.order_by("-pk")[: PAGE + 1])
    return Page(rows[:PAGE], rows[PAGE - 1].pk if len(rows) > PAGE else None)
