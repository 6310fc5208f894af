"""Posts from a file into the pool."""

import io
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from game.pool.models import Author, Category, Kind, Status
from game.pool.services import NewTweet, OtherKind, add_tweets, get_author
from scraping.formats import UnreadableFile, read_posts
from scraping.rules import Cleaning, Drop, Post, clean

# Rows that are stored in one statement.
CHUNK = 2_000
# Lines between two looks at how far we are.
PROGRESS_LINES = 2_000
# Broken lines that are named one by one; all are counted.
NAMED_LINES = 20


@dataclass(slots=True)
class ImportReport:
    """What became of every post of an import."""

    kept: int = 0
    dropped: Counter[Drop] = field(default_factory=Counter)
    broken_lines: list[str] = field(default_factory=list)
    # Handles asked for that had a post, in small letters.
    authors_met: set[str] = field(default_factory=set)

    @property
    def unnamed_lines(self) -> int:
        """How many broken lines are counted but not named."""
        return self.dropped[Drop.BROKEN] - len(self.broken_lines)

    def note_broken(self, where: str) -> None:
        """Count a broken line, and name it if not too many are named already."""
        self.dropped[Drop.BROKEN] += 1
        if len(self.broken_lines) < NAMED_LINES:
            self.broken_lines.append(where)


def import_file(
    *,
    category: Category,
    path: Path,
    cleaning: Cleaning,
    status: str = Status.PENDING,
    handle: str = "",
    only: Collection[str] = (),
    report: ImportReport | None = None,
    progress: Callable[[int], None] = lambda position: None,
) -> ImportReport:
    """Import the posts of one file into `category`, and say what became of each.

    `handle` names the author where the file doesn't; `only` keeps the posts of these handles alone.
    `progress` is told the position in the file, in bytes, now and then. Running it again adds
    nothing; after an interruption it adds what is missing. Raises UnreadableFile, with all that
    came before stored.
    """
    report = report or ImportReport()
    sieve = _Sieve(cleaning, frozenset(name.lstrip("@").casefold() for name in only), report)
    chunk: list[NewTweet] = []

    def store() -> None:
        news = add_tweets(category=category, tweets=chunk, status=status)
        report.kept += sum(news)
        report.dropped[Drop.DUPLICATE] += len(news) - sum(news)
        chunk.clear()

    try:
        with path.open("rb") as raw:
            for count, (number, post) in enumerate(read_posts(path, raw, handle=handle or category.slug), 1):
                if count % PROGRESS_LINES == 0:
                    progress(raw.tell())
                try:
                    tweet = sieve.sift(post)
                except _BrokenLine as broken:
                    report.note_broken(f"{path.name}, line {number}: {broken}.")
                    continue
                if tweet:
                    chunk.append(tweet)
                if len(chunk) >= CHUNK:
                    store()
            progress(raw.seek(0, io.SEEK_END))
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror or error}.") from error
    except UnreadableFile:
        store()
        raise
    store()
    return report


class _BrokenLine(Exception):
    """A line that no post can be made of; the message says why."""


@dataclass(slots=True)
class _Sieve:
    """Cleans posts one by one, and counts what it does not let through."""

    cleaning: Cleaning
    only: frozenset[str]
    report: ImportReport
    authors: dict[tuple[str, str], Author] = field(default_factory=dict)

    def sift(self, post: Post | str) -> NewTweet | None:
        """Return what is to be stored of a post; raise _BrokenLine for what is not one."""
        if isinstance(post, str):
            raise _BrokenLine(post)
        # Handles differ in case between sources; they name one account.
        handle = post.handle.casefold()
        if self.only and handle not in self.only:
            self.report.dropped[Drop.OTHER_AUTHOR] += 1
            return None
        self.report.authors_met |= self.only & {handle}
        text = clean(post, self.cleaning)
        if isinstance(text, Drop):
            self.report.dropped[text] += 1
            return None
        return NewTweet(author=self._author(post, handle), text=text, posted_at=post.posted_at, facts=post.facts)

    def _author(self, post: Post, handle: str) -> Author:
        key = (post.platform, handle)
        if key not in self.authors:
            try:
                self.authors[key] = get_author(kind=Kind.HUMAN, platform=post.platform, handle=handle, name=post.name or post.handle)
            except OtherKind as error:
                raise _BrokenLine(f"names an author that is no human here: {error}") from error
        return self.authors[key]


def outcome_rows(report: ImportReport) -> Sequence[tuple[str, int]]:
    """Return the rows of an import's closing table: kept, each reason with its count, all."""
    drops = sorted(((str(reason), count) for reason, count in report.dropped.items() if count), key=lambda row: -row[1])
    return [("kept", report.kept), *drops, ("posts read", report.kept + report.dropped.total())]
