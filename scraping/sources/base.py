"""What a source of posts can be asked, and how it says no. An adapter knows its client library; nothing else does.

An adapter makes one request a call, never waits, never tries again, and keeps nothing on disk: when to
ask again is for the caller to decide (scraping.manners), who has the limits of all adapters in view.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from scraping.rules import Post


class State(StrEnum):
    """What an account is to somebody who wants to read it."""

    OPEN = "open"
    PROTECTED = "protected"
    SUSPENDED = "suspended"
    MISSING = "missing"
    # It asks not to be read by programs or by strangers: `noindex`, `#nobot`, `!no-unauthenticated`.
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Account:
    """An account as a source knows it: `id` stays when the handle changes. One that is missing has no id."""

    id: str
    handle: str
    name: str = ""
    state: State = State.OPEN


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an account's posts, newest first.

    Every post has `facts["source_id"]`, unique on its platform, and `handle` without an @.
    `cursor` asks for the next page, and is empty after the last. `cost` is in dollars.
    """

    posts: tuple[Post, ...]
    cursor: str = ""
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class FollowerPage:
    """A page of the ids of those who follow an account; `cursor` is empty after the last page, `cost` is in dollars."""

    ids: tuple[str, ...]
    cursor: str = ""
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class PostRef:
    """A post that was kept once: enough to ask whether it is still there."""

    source_id: str
    handle: str
    account_id: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """What the last answer's headers said: `remaining` of `limit` requests until `resets_in` seconds from then."""

    remaining: int
    limit: int
    resets_in: float


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a source can do, and what it asks of those who use it."""

    followers: bool = False
    # Can say of kept posts whether they are still there.
    deletions: bool = False
    # Accounts that `resolve` takes in one request, and posts that `find_gone` does.
    accounts_at_once: int = 1
    posts_at_once: int = 1
    # Posts of a full page.
    page_size: int = 100
    # Posts of the smallest page that may be asked for.
    least_page: int = 1
    # How many may read from it at a time.
    parallel: int = 2
    # Dollars.
    price_of_post: float = 0.0
    price_of_account: float = 0.0


class SourceError(Exception):
    """Something a source could not do; the message says what, in one line, without secrets."""


class NotConfigured(SourceError):
    """A token or a package is missing; the message names the one thing to do."""


class RateLimited(SourceError):
    """Too many requests: ask again after `seconds`; None if the source did not say."""

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class Unavailable(SourceError):
    """Down, cut off, timed out, an answer that makes no sense: asking again later may help."""


class Banned(SourceError):
    """The source does not want us (403, login wall, empty pages of an account that has posts): asking again makes it worse."""


class ProxyFailed(SourceError):
    """The proxy refused or could not be reached (407, connection errors): another one may do."""


class AccountGone(SourceError):
    """The account can't be read any more; `state` says why."""

    def __init__(self, message: str, state: State) -> None:
        super().__init__(message)
        self.state = state


class Source(Protocol):
    """One connection to a source, used by one thread. Every method raises SourceError."""

    name: str
    platform: str
    abilities: Abilities
    # Of the last answer; None where the source does not tell.
    limit: Limit | None

    def resolve(self, handles: Sequence[str]) -> list[Account]:
        """Return the accounts of up to `accounts_at_once` handles, in their order; MISSING for those that are none."""

    def resolve_ids(self, ids: Sequence[str]) -> list[Account]:
        """Return the accounts of up to `accounts_at_once` ids, in their order; MISSING for those that are none."""

    def fetch_posts(self, account: Account, *, cursor: str = "", newer_than: str = "", most: int = 0) -> Page:
        """Return a page of what the account itself posted, newest first.

        `newer_than` is the source id of a post whose elders are known: a source that is asked by the
        post may leave them out, others ignore it. No more than `most` posts are wanted (0: a full page, never
        fewer than `least_page`); a source whose pages are as long as they are may give more.
        """

    def fetch_followers(self, account: Account, *, cursor: str = "") -> FollowerPage:
        """Return a page of the ids of the account's followers; SourceError where `abilities.followers` is false."""

    def find_gone(self, posts: Sequence[PostRef]) -> set[str]:
        """Return the source ids, of up to `posts_at_once` posts, that are deleted or hidden by now."""

    def close(self) -> None:
        """Give back connections and processes. Closing twice does nothing."""
