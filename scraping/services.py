"""Posts from a file into the pool."""

import io
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction

from game.pool.models import Author, Category, Kind, Status
from game.pool.services import NewTweet, add_tweets, get_author
from scraping.formats import UnreadableFile, read_posts
from scraping.rules import Cleaning, Drop, Post, clean

# Rows that are cleaned and stored in one transaction.
CHUNK = 2_000
# Broken lines that are named one by one; all are counted.
NAMED_LINES = 20


@dataclass(slots=True)
class ImportReport:
    """What became of every post of an import."""

    kept: int = 0
    dropped: Counter[Drop] = field(default_factory=Counter)
    broken_lines: list[str] = field(default_factory=list)

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
    """Import the posts of one file into `category`, a chunk a transaction, and say what became of each.

    `handle` names the author where the file doesn't; `only` keeps the posts of these handles alone.
    `progress` is told the position in the file, in bytes, after each chunk. Running it again adds
    nothing; after an interruption it adds what is missing. Raises UnreadableFile.
    """
    report = report or ImportReport()
    wanted = {name.lstrip("@").casefold() for name in only}
    authors: dict[tuple[str, str], Author] = {}
    chunk: list[tuple[Post, str]] = []

    def store() -> None:
        with transaction.atomic():
            news = add_tweets(category=category, tweets=[_new_tweet(post, text, authors) for post, text in chunk], status=status)
        report.kept += sum(news)
        report.dropped[Drop.DUPLICATE] += len(news) - sum(news)
        chunk.clear()

    try:
        with path.open("rb") as raw:
            try:
                for count, (number, post) in enumerate(read_posts(path, raw, handle=handle or category.slug), 1):
                    if isinstance(post, str):
                        report.note_broken(f"{path.name}, line {number}: {post}.")
                        continue
                    if wanted and post.handle.casefold() not in wanted:
                        report.dropped[Drop.OTHER_AUTHOR] += 1
                        continue
                    cleaned = clean(post, cleaning)
                    if isinstance(cleaned, Drop):
                        report.dropped[cleaned] += 1
                    else:
                        chunk.append((post, cleaned))
                    if len(chunk) >= CHUNK:
                        store()
                    if count % CHUNK == 0:
                        progress(raw.tell())
            finally:
                store()
            progress(raw.seek(0, io.SEEK_END))
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror or error}.") from error
    return report


def _new_tweet(post: Post, text: str, authors: dict[tuple[str, str], Author]) -> NewTweet:
    # Handles differ in case between sources; they name one account.
    key = (post.platform, post.handle.casefold())
    if key not in authors:
        authors[key] = get_author(kind=Kind.HUMAN, platform=post.platform, handle=key[1], name=post.name or post.handle)
    return NewTweet(author=authors[key], text=text, posted_at=post.posted_at, facts=post.facts)


def outcome_rows(report: ImportReport) -> Sequence[tuple[str, int]]:
    """Return the rows of an import's closing table: kept, each reason with its count, all."""
    drops = sorted(((str(reason), count) for reason, count in report.dropped.items() if count), key=lambda row: -row[1])
    return [("kept", report.kept), *drops, ("posts read", report.kept + report.dropped.total())]
