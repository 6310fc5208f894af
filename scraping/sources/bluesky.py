"""Bluesky: the open part of an AppView's XRPC API, which needs no account (https://docs.bsky.app/docs/category/http-reference)."""

import time
from collections.abc import Sequence
from typing import Any

import httpx

from scraping.records import MAX_NAME_LENGTH, read_moment
from scraping.rules import Post
from scraping.sources.base import (
    Abilities,
    Account,
    AccountGone,
    Banned,
    FollowerPage,
    Limit,
    Page,
    PostRef,
    ProxyFailed,
    RateLimited,
    SourceError,
    State,
    Unavailable,
)
from scraping.sources.headers import read_limit, read_wait
from scraping.sources.reasons import why

TIMEOUT_SECONDS = 30.0
PREFIX = "ratelimit-"
# Of getProfile and getAuthorFeed: https://docs.bsky.app/blog/account-deactivation and the AppView's own answers.
_GONE = {"AccountTakedown": State.SUSPENDED, "AccountDeactivated": State.MISSING, "BlockedActor": State.DECLINED}
# By this label an account asks apps to show its posts to nobody who is not signed in.
_SIGNED_IN_ONLY = "!no-unauthenticated"


class BlueskySource:
    """Reads one AppView."""

    name = "bluesky"
    platform = "bluesky"
    # Limits of the lexicons getProfiles, getPosts, getAuthorFeed.
    abilities = Abilities(followers=True, deletions=True, accounts_at_once=25, posts_at_once=25, page_size=100, parallel=4)

    def __init__(self, *, base_url: str, proxy: str = "") -> None:
        self.limit: Limit | None = None
        self._proxied = bool(proxy)
        self._quiet_until = 0.0
        self._client = httpx.Client(base_url=f"{base_url}/xrpc/", proxy=proxy or None, timeout=TIMEOUT_SECONDS, trust_env=False)

    def resolve(self, handles: Sequence[str]) -> list[Account]:
        """Return the accounts of handles, in their order."""
        return self._profiles(handles, "handle")

    def resolve_ids(self, ids: Sequence[str]) -> list[Account]:
        """Return the accounts of DIDs, in their order."""
        return self._profiles(ids, "did")

    def fetch_posts(self, account: Account, *, cursor: str = "", newer_than: str = "", most: int = 0) -> Page:
        """Return a page of an account's own posts; the API can't be asked for what is newer than a post."""
        asked = {"actor": account.id, "limit": most or self.abilities.page_size, "filter": "posts_no_replies"}
        answer = self._get("app.bsky.feed.getAuthorFeed", asked | ({"cursor": cursor} if cursor else {}))
        items = [item for item in _list(answer, "feed") if isinstance(item, dict) and isinstance(item.get("post"), dict)]
        return Page(tuple(_read_post(item, account) for item in items), _cursor(answer))

    def fetch_followers(self, account: Account, *, cursor: str = "") -> FollowerPage:
        """Return a page of the DIDs of an account's followers."""
        asked = {"actor": account.id, "limit": 100} | ({"cursor": cursor} if cursor else {})
        answer = self._get("app.bsky.graph.getFollowers", asked)
        return FollowerPage(tuple(str(one.get("did")) for one in _list(answer, "followers")), _cursor(answer))

    def find_gone(self, posts: Sequence[PostRef]) -> set[str]:
        """Return the at-uris that the AppView has no post for any more."""
        asked = [post.source_id for post in posts]
        answer = self._get("app.bsky.feed.getPosts", {"uris": asked})
        return set(asked) - {str(one.get("uri")) for one in _list(answer, "posts")}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _profiles(self, names: Sequence[str], field: str) -> list[Account]:
        found = _list(self._get("app.bsky.actor.getProfiles", {"actors": list(names)}), "profiles")
        known = {str(profile.get(field)).casefold(): profile for profile in found}
        return [_account(known[name.casefold()]) if name.casefold() in known else self._explain(name, field) for name in names]

    def _explain(self, name: str, field: str) -> Account:
        """Say of an account that getProfiles left out why it did."""
        try:
            return _account(self._get("app.bsky.actor.getProfile", {"actor": name}))
        except AccountGone as gone:
            return Account("" if field == "handle" else name, "" if field == "did" else name, state=gone.state)

    def _get(self, method: str, asked: dict[str, Any]) -> dict[str, Any]:
        # Several accounts that are gone take several requests: the limit may end among them.
        if (left := self._quiet_until - time.monotonic()) > 0:
            raise RateLimited("the limit of bluesky is used up", left)
        try:
            answer = self._client.get(method, params=asked)
        except httpx.ProxyError as error:
            raise ProxyFailed(f"the proxy of bluesky failed: {why(error)}") from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if self._proxied:
                raise ProxyFailed(f"the proxy of bluesky can't be reached: {why(error)}") from error
            raise Unavailable(f"{self._client.base_url.netloc.decode()} can't be reached: {why(error)}") from error
        except httpx.HTTPError as error:
            raise Unavailable(f"bluesky's answer broke off: {why(error)}") from error
        self.limit = read_limit(answer.headers, PREFIX) or self.limit
        if self.limit and not self.limit.remaining:
            self._quiet_until = time.monotonic() + self.limit.resets_in
        try:
            told = answer.json()
        except ValueError as error:
            if answer.is_success:
                raise Unavailable("bluesky's answer is not JSON") from error
            told = {}
        if answer.is_success and isinstance(told, dict):
            return told
        raise _refusal(answer, told if isinstance(told, dict) else {})


def _refusal(answer: httpx.Response, told: dict[str, Any]) -> SourceError:
    status, error, message = answer.status_code, str(told.get("error", "")), " ".join(str(told.get("message", "")).split())[:120]
    if status == 429:
        return RateLimited("bluesky asks to wait", read_wait(answer.headers, PREFIX))
    if status == 407:
        return ProxyFailed("the proxy of bluesky wants another password")
    if error in _GONE:
        return AccountGone(f"bluesky: {message or error}", _GONE[error])
    if status == 400 and "not found" in message.casefold():
        return AccountGone("bluesky: no such account", State.MISSING)
    if status in (401, 403):
        return Banned(f"bluesky refuses us ({' '.join(filter(None, (str(status), error)))})")
    if status >= 500:
        return Unavailable(f"bluesky is out of order ({status})")
    said = ": ".join(filter(None, (error, message)))
    return SourceError(f"bluesky does not take the request ({' '.join(filter(None, (str(status), said)))})")


def _list(answer: dict[str, Any], name: str) -> list[Any]:
    found = answer.get(name)
    if not isinstance(found, list):
        raise Unavailable(f"bluesky's answer has no list of {name}")
    return found


def _cursor(answer: dict[str, Any]) -> str:
    return str(answer.get("cursor") or "")


def _account(profile: dict[str, Any]) -> Account:
    labels = {str(label.get("val")) for label in profile.get("labels") or [] if not label.get("neg")}
    state = State.DECLINED if _SIGNED_IN_ONLY in labels else State.OPEN
    return Account(str(profile["did"]), str(profile["handle"]), str(profile.get("displayName") or "")[:MAX_NAME_LENGTH], state)


def _read_post(item: dict[str, Any], account: Account) -> Post:
    post = item["post"]
    record, uri = post.get("record") or {}, str(post.get("uri"))
    return Post(
        text=_spell_links(str(record.get("text") or ""), record.get("facets")),
        handle=account.handle,
        platform="bluesky",
        name=account.name,
        posted_at=read_moment(record.get("createdAt")),
        is_retweet="reason" in item or (post.get("author") or {}).get("did") != account.id,
        is_reply="reply" in record,
        facts={
            "source_id": uri,
            "link": f"https://bsky.app/profile/{account.handle}/post/{uri.rpartition('/')[2]}",
            "likes": int(post.get("likeCount") or 0),
            "shares": int(post.get("repostCount") or 0),
        },
    )


def _spell_links(text: str, facets: Any) -> str:
    """Put whole addresses in the place of what stands for them: a link of Bluesky may read like any word.

    Facets count bytes of UTF-8 (https://docs.bsky.app/docs/advanced-guides/post-richtext).
    """
    raw = text.encode()
    links = []
    for facet in facets if isinstance(facets, list) else []:
        index = facet.get("index") or {}
        addresses = [str(part["uri"]) for part in facet.get("features") or [] if "uri" in part]
        if addresses and 0 <= index.get("byteStart", -1) <= index.get("byteEnd", -1) <= len(raw):
            links.append((index["byteStart"], index["byteEnd"], addresses[0]))
    for start, end, address in sorted(links, reverse=True):
        raw = raw[:start] + address.encode() + raw[end:]
    return raw.decode(errors="replace")
