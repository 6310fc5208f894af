"""Mastodon and servers that speak its API: the part that needs no account (https://docs.joinmastodon.org/client/public/)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from mastodon import Mastodon
from mastodon.errors import MastodonError

from scraping.sources.base import (
    Abilities,
    Account,
    AccountGone,
    Banned,
    FollowerPage,
    Limit,
    NotConfigured,
    Page,
    PostRef,
    SourceError,
    State,
    Unavailable,
)
from scraping.sources.mastodon_entities import is_for_all, read_account, read_post
from scraping.sources.transport import Transport

PREFIX = "x-ratelimit-"
FOLLOWERS_AT_ONCE = 80
# A name with a dot and no port: nobody who may list accounts can have us ask our own network.
_HOST = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]"
_HANDLE = re.compile(rf"(?i)[a-z0-9_][a-z0-9_.-]{{0,59}}@{_HOST}")


class MastodonSource:
    """Reads every account at its own server, or all of them through the one at `base_url`."""

    name = "mastodon"
    platform = "mastodon"
    abilities = Abilities(followers=True, deletions=True, posts_at_once=20, page_size=40, parallel=4)

    def __init__(self, *, base_url: str = "", proxy: str = "") -> None:
        self.limit: Limit | None = None
        self._base_url = base_url.rstrip("/")
        self._only = urlsplit(self._base_url).netloc
        self._transport = Transport(prefix=PREFIX, explain=self._explain, proxy=proxy)
        self._session = self._transport.mounted()
        self._clients: dict[str, Mastodon] = {}

    def resolve(self, handles: Sequence[str]) -> list[Account]:
        """Return the accounts of handles like user@host, in their order."""
        return [self._resolve(handle) for handle in handles]

    def resolve_ids(self, ids: Sequence[str]) -> list[Account]:
        """Return the accounts of ids like host/id, in their order; or of handles, as they come from `fetch_followers`."""
        return [self._resolve(name) if "@" in name else self._resolve_id(name) for name in ids]

    def fetch_posts(self, account: Account, *, cursor: str = "", newer_than: str = "", most: int = 0) -> Page:
        """Return a page of what an account posted itself, for everybody.

        Posts behind a warning, sensitive ones, and those for followers are left out here, not counted:
        their authors did not mean them for a game.
        """
        server, _, number = account.id.partition("/")
        known = newer_than.removeprefix(f"{server}/") if newer_than.startswith(f"{server}/") else None
        # Mastodon leaves replies to oneself in.
        asked = {"exclude_replies": True, "exclude_reblogs": True, "limit": most or self.abilities.page_size}
        page = self._list(server, "account_statuses", number, max_id=cursor or None, since_id=known, **asked)
        return Page(tuple(read_post(status, account, server) for status in page if is_for_all(status)), _next_statuses(page))

    def fetch_followers(self, account: Account, *, cursor: str = "") -> FollowerPage:
        """Return a page of the *handles* of an account's followers; none where it hides them.

        Every server numbers the accounts of all others anew: who follows people at two of them has one name, and two ids.
        """
        server, _, number = account.id.partition("/")
        page = self._list(server, "account_followers", number, max_id=cursor or None, limit=FOLLOWERS_AT_ONCE)
        return FollowerPage(tuple(self._name(follower, server) for follower in page), _next(page))

    def find_gone(self, posts: Sequence[PostRef]) -> set[str]:
        """Return the ids of posts that their servers do not show any more; those missing from a list are asked for one by one."""
        servers: dict[str, list[str]] = {}
        for post in posts:
            server, _, number = post.source_id.partition("/")
            servers.setdefault(server, []).append(number)
        return {
            f"{server}/{number}"
            for server, numbers in servers.items()
            for number in set(numbers) - self._find(server, numbers)
            if not self._is_there(server, number)
        }

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _resolve(self, handle: str) -> Account:
        if not (self._only or _HANDLE.fullmatch(handle)):
            return Account("", handle, state=State.MISSING)
        user, _, host = handle.casefold().partition("@")
        server, name = (self._only, handle) if self._only else (host, user)
        try:
            return self._account(server, "account_lookup", name)
        except AccountGone as gone:
            return Account("", handle, state=gone.state)

    def _resolve_id(self, name: str) -> Account:
        server, _, number = name.partition("/")
        try:
            return self._account(server, "account", number)
        except AccountGone as gone:
            return Account(name, "", state=gone.state)

    def _account(self, server: str, method: str, name: str) -> Account:
        found = self._ask(server, method, name)
        if not isinstance(found, dict) or not found.get("id") or not found.get("acct"):
            raise Unavailable(f"the answer of {server} is not one of Mastodon's API")
        return read_account(found, server, self._home(found, server))

    def _home(self, found: Mapping[str, Any], server: str) -> str:
        """Return where an account lives that `server` calls its own."""
        # A server may call itself by another name than its accounts; only one that the operator named is believed.
        return (urlsplit(str(found.get("url"))).hostname if self._only else server) or server

    def _name(self, found: Mapping[str, Any], server: str) -> str:
        acct = str(found.get("acct")).casefold()
        return acct if "@" in acct else f"{acct}@{self._home(found, server)}"

    def _find(self, server: str, numbers: list[str]) -> set[str]:
        try:
            return {str(status["id"]) for status in self._list(server, "statuses", numbers)}
        except SourceError as error:
            # Servers older than Mastodon 4.3 have no such list, and each of their kin says so in its own way.
            if isinstance(error, AccountGone) or type(error) is SourceError:
                return set()
            raise

    def _is_there(self, server: str, number: str) -> bool:
        try:
            self._ask(server, "status", number)
        except AccountGone as gone:
            if gone.state is State.MISSING:
                return False
            raise
        return True

    def _list(self, server: str, method: str, *names: Any, **asked: Any) -> list[Any]:
        page = self._ask(server, method, *names, **asked)
        if not isinstance(page, list) or not all(isinstance(item, dict) and item.get("id") for item in page):
            raise Unavailable(f"the answer of {server} is not one of Mastodon's API")
        return page

    def _ask(self, server: str, method: str, *names: Any, **asked: Any) -> Any:
        if server not in self._clients:
            if server != self._only if self._only else not re.fullmatch(_HOST, server):
                raise NotConfigured(f"This was read at {server}: set SCRAPE_MASTODON_URL as it was then.")
            address = self._base_url or f"https://{server}"
            self._clients[server] = Mastodon(
                api_base_url=address, session=self._session, ratelimit_method="throw", user_agent="bird-or-bot"
            )
        try:
            return getattr(self._clients[server], method)(*names, **asked)
        except MastodonError as error:
            # Whatever happens while it asks, Mastodon.py raises an error of its own from there.
            if isinstance(error.__context__, SourceError):
                raise error.__context__ from None
            raise Unavailable(f"the answer of {server} is not one of Mastodon's API") from None
        finally:
            self.limit = self._transport.limit

    def _explain(self, response: requests.Response, told: Mapping[str, Any]) -> SourceError | None:
        status, server = response.status_code, urlsplit(response.url).netloc
        if status == 410 or (status == 404 and "error" in told):
            return AccountGone(f"{server} has none such ({status})", State.MISSING)
        if status == 401 and "error" in told:
            return AccountGone(f"{server} shows posts only to those who are signed in", State.DECLINED)
        if status == 403 and "error" in told:
            return AccountGone(f"{server} has closed the account", State.SUSPENDED)
        if status in (401, 403):
            # One server of many says nothing for the others, and what stands before it nothing of the account.
            refusal = f"{server} refuses us ({status})"
            return Banned(refusal) if self._only else SourceError(refusal)
        return None


def _next(page: list[Any]) -> str:
    """Return where Mastodon.py found, in the Link header, that the next page begins."""
    return str((getattr(page, "_pagination_next", None) or {}).get("max_id") or "")


def _next_statuses(page: list[Any]) -> str:
    """Return where the next page begins; some servers send no Link header, and one with none but `prev` ends there."""
    if getattr(page, "_pagination_next", None) or getattr(page, "_pagination_prev", None) or not page:
        return _next(page)
    return str(page[-1]["id"])
