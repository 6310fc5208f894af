"""Posts from a file into the pool."""

import io
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction

from game.pool.models import Author, Category, Kind, Status
from game.pool.services import NewTweet, OtherKind, add_tweets, get_author
from scraping.clerk import Clerk
from scraping.formats import UnreadableFile, read_posts
from scraping.optouts import OptOuts, read_opt_outs
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
    def read(self) -> int:
        """How many posts, and lines that are none, were read."""
        return self.kept + self.dropped.total()

    @property
    def unnamed_lines(self) -> int:
        """How many broken lines are counted but not named."""
        return self.dropped[Drop.BROKEN] - len(self.broken_lines)

    def note_broken(self, where: str) -> None:
        """Count a broken line, and name it if not too many are named already."""
        self.dropped[Drop.BROKEN] += 1
        if len(self.broken_lines) < NAMED_LINES:
            self.broken_lines.append(where)

    def add(self, part: "ImportReport") -> None:
        """Take in what became of some more posts."""
        self.kept += part.kept
        self.dropped.update(part.dropped)
        self.broken_lines += part.broken_lines[: NAMED_LINES - len(self.broken_lines)]


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
    `progress` is told the position in the file, in bytes, now and then; it must not touch the database. Running it
    again adds nothing; after an interruption it adds what is missing. Raises UnreadableFile, with all that
    came before stored.
    """
    report = report or ImportReport()
    opt_outs = read_opt_outs()
    sieve = _Sieve(cleaning, frozenset(name.lstrip("@").casefold() for name in only), opt_outs, report)
    chunk: list[_Kept] = []
    problem: UnreadableFile | None = None
    with Clerk(_Store(category, status, path.name, opt_outs), report.add) as clerk:
        try:
            with path.open("rb") as raw:
                for count, (number, post) in enumerate(read_posts(path, raw, handle=handle or category.slug), 1):
                    if count % PROGRESS_LINES == 0:
                        progress(raw.tell())
                    if isinstance(post, str):
                        report.note_broken(_where(path.name, number, post))
                    elif text := sieve.sift(post):
                        chunk.append((number, post, text))
                    if len(chunk) >= CHUNK:
                        clerk.hand_over(chunk)
                        chunk = []
                progress(raw.seek(0, io.SEEK_END))
        except OSError as error:
            problem = UnreadableFile(f"{path}: {error.strerror or error}.")
        except UnreadableFile as error:
            problem = error
        if chunk:
            clerk.hand_over(chunk)
    if problem:
        raise problem
    return report


# The number of its line, the post, and its text as the pool keeps it.
_Kept = tuple[int, Post, str]


def _where(name: str, number: int, problem: str) -> str:
    return f"{name}, line {number}: {problem}."


@dataclass(slots=True)
class _Sieve:
    """Cleans posts one by one, and counts what it does not let through."""

    cleaning: Cleaning
    only: frozenset[str]
    opt_outs: OptOuts
    report: ImportReport
    # What is decided about an account, whatever its posts say.
    accounts: dict[tuple[str, str, str], Drop | None] = field(default_factory=dict)

    def sift(self, post: Post) -> str | None:
        """Return the text of a post that is to be stored."""
        account = (post.platform, post.handle, post.account_id)
        if account not in self.accounts:
            self.accounts[account] = self._judge(*account)
        text = self.accounts[account] or clean(post, self.cleaning)
        if isinstance(text, Drop):
            self.report.dropped[text] += 1
            return None
        return text

    def _judge(self, platform: str, handle: str, account_id: str) -> Drop | None:
        # Handles differ in case between sources; they name one account.
        if self.only and handle.casefold() not in self.only:
            return Drop.OTHER_AUTHOR
        self.report.authors_met |= self.only & {handle.casefold()}
        return Drop.OPTED_OUT if self.opt_outs.holds(platform, handle, account_id) else None


@dataclass(slots=True)
class _Store:
    """Puts chunks of cleaned posts into the pool."""

    category: Category
    status: str
    file_name: str
    # By which the posts were sifted.
    opt_outs: OptOuts
    authors: dict[tuple[str, str], Author] = field(default_factory=dict)

    def __call__(self, chunk: Sequence[_Kept]) -> ImportReport:
        """Store the posts of a chunk, and say what became of each."""
        report = ImportReport()
        fit: list[tuple[Post, NewTweet]] = []
        for number, post, text in chunk:
            try:
                author = self._author(post)
            except OtherKind as error:
                report.note_broken(_where(self.file_name, number, f"names an author that is no human here: {error}"))
            else:
                fit.append((post, NewTweet(author=author, text=text, posted_at=post.posted_at, facts=post.facts)))
        with transaction.atomic():
            # Whoever opts out meanwhile waits for the end of this transaction, or is seen by it.
            if (opt_outs := read_opt_outs()) != self.opt_outs:
                fit = [(post, tweet) for post, tweet in fit if not opt_outs.holds(post.platform, post.handle, post.account_id)]
            tweets = [tweet for _, tweet in fit]
            report.kept = sum(pk is not None for pk in add_tweets(category=self.category, tweets=tweets, status=self.status))
        report.dropped[Drop.DUPLICATE] = len(tweets) - report.kept
        report.dropped[Drop.OPTED_OUT] = len(chunk) - len(tweets) - report.dropped[Drop.BROKEN]
        return report

    def _author(self, post: Post) -> Author:
        # Before the transaction: two imports that make the same authors in other orders would lock each other out.
        key = (post.platform, post.handle.casefold())
        if key not in self.authors:
            self.authors[key] = get_author(kind=Kind.HUMAN, platform=post.platform, handle=key[1], name=post.name or post.handle)
        return self.authors[key]


def outcome_rows(report: ImportReport) -> Sequence[tuple[str, int]]:
    """Return the rows of an import's closing table: kept, each reason with its count, all."""
    drops = sorted(((str(reason), count) for reason, count in report.dropped.items() if count), key=lambda row: -row[1])
    return [("kept", report.kept), *drops, ("posts read", report.read)]
