"""X: its API v2, with the token of an app, paid by what is read (https://docs.x.com/x-api)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import requests
import tweepy

from scraping.records import MAX_NAME_LENGTH, read_moment
from scraping.rules import Post
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
    RateLimited,
    SourceError,
    State,
    Unavailable,
)
from scraping.sources.headers import seconds_until
from scraping.sources.transport import Transport

PREFIX = "x-rate-limit-"
# Where tweepy sends everything.
TWEEPY_ORIGIN = "https://api.twitter.com"
# A request that holds any other name is refused as a whole.
_HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")
# Limits of a day, which X counts apart: https://docs.x.com/x-api/fundamentals/rate-limits.
_DAILY = ("x-app-limit-24hour-", "x-user-limit-24hour-")
_SHAPE = {"data": list, "errors": list, "meta": dict}
# By the last part of a problem's type: https://docs.x.com/x-api/fundamentals/response-codes-and-errors.
_WITHHELD = {"not-authorized-for-resource": State.PROTECTED, "resource-not-found": State.MISSING}
_POST_FIELDS = ["created_at", "conversation_id", "in_reply_to_user_id", "referenced_tweets", "public_metrics", "note_tweet"]


class XSource:
    """Reads X through tweepy."""

    name = "x"
    platform = "twitter"
    # Prices: https://docs.x.com/x-api/getting-started/pricing; a follower costs what an account does.
    abilities = Abilities(
        followers=True, deletions=True, accounts_at_once=100, posts_at_once=100, least_page=5, price_of_post=0.005, price_of_account=0.010
    )

    def __init__(self, *, token: str, base_url: str, proxy: str = "") -> None:
        if not re.fullmatch("[!-~]+", token.strip()):
            raise NotConfigured("X is read with the token of an app: set X_BEARER_TOKEN to its Bearer Token from https://console.x.com.")
        self.limit: Limit | None = None
        self._transport = Transport(
            prefix=PREFIX, explain=_explain, proxy=proxy, token=token.strip(), instead_of=TWEEPY_ORIGIN, origin=base_url.rstrip("/")
        )
        # Told to wait by tweepy, a thread sleeps until the limit is over, again and again, whatever happens meanwhile.
        self._client = tweepy.Client(return_type=dict, wait_on_rate_limit=False)
        self._client.session = self._transport.mounted()

    def resolve(self, handles: Sequence[str]) -> list[Account]:
        """Return the accounts of handles, in their order."""
        missing = {handle.casefold(): Account("", handle, state=State.MISSING) for handle in handles if not _HANDLE.fullmatch(handle)}
        return self._look_up("username", handles, missing)

    def resolve_ids(self, ids: Sequence[str]) -> list[Account]:
        """Return the accounts of ids, in their order."""
        return self._look_up("id", ids, {name: Account(name, "", state=State.MISSING) for name in ids if not name.isdecimal()})

    def fetch_posts(self, account: Account, *, cursor: str = "", newer_than: str = "", most: int = 0) -> Page:
        """Return a page of what an account posted itself; X looks at the newest 800 posts only when it leaves out replies."""
        answer = self._ask(
            self._client.get_users_tweets,
            account.id,
            exclude=["replies", "retweets"],
            max_results=most or self.abilities.page_size,
            pagination_token=cursor or None,
            since_id=newer_than or None,
            tweet_fields=_POST_FIELDS,
        )
        posts = tuple(_read_post(post, account) for post in _items_of_one(answer))
        return Page(posts, _cursor(answer), round(len(posts) * self.abilities.price_of_post, 3))

    def fetch_followers(self, account: Account, *, cursor: str = "") -> FollowerPage:
        """Return a page of the ids of an account's followers."""
        answer = self._ask(
            self._client.get_users_followers, account.id, max_results=1000, pagination_token=cursor or None, user_fields=["id"]
        )
        ids = tuple(str(user["id"]) for user in _items_of_one(answer))
        return FollowerPage(ids, _cursor(answer), round(len(ids) * self.abilities.price_of_account, 3))

    def find_gone(self, posts: Sequence[PostRef]) -> set[str]:
        """Return the ids of posts that X has no longer, or does not show to us any more."""
        asked = [post.source_id for post in posts if post.source_id.isdecimal()]
        answer = self._ask(self._client.get_tweets, asked) if asked else {"data": []}
        return _withheld(answer).keys() & set(asked)

    def close(self) -> None:
        """Close the connections."""
        self._client.session.close()

    def _look_up(self, field: str, names: Sequence[str], known: dict[str, Account]) -> list[Account]:
        """Return the accounts of usernames or ids; `known` are those that need not be asked for."""
        if askable := [name for name in names if name.casefold() not in known]:
            answer = self._ask(self._client.get_users, **{f"{field}s": askable}, user_fields=["protected"])
            for name, state in _withheld(answer).items():
                known[name.casefold()] = Account(name, "", state=state) if field == "id" else Account("", name, state=state)
            known |= {str(user[field]).casefold(): _account(user) for user in _items(answer)}
        if unheard := [name for name in names if name.casefold() not in known]:
            raise Unavailable(f"X's answer says nothing of {unheard[0]}")
        return [known[name.casefold()] for name in names]

    def _ask(self, method: Callable[..., Any], *names: Any, **asked: Any) -> dict[str, Any]:
        try:
            answer = method(*names, **asked)
        except requests.JSONDecodeError as error:
            raise Unavailable("X's answer is not JSON") from error
        finally:
            self.limit = self._transport.limit
        known = answer.keys() & _SHAPE if isinstance(answer, dict) else ()
        if not known or not all(isinstance(answer[name], _SHAPE[name]) for name in known):
            raise Unavailable("X's answer is not one of its API")
        return answer


def _items(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = answer.get("data", [])
    if not all(isinstance(item, dict) and "id" in item for item in items):
        raise Unavailable("X's answer is not one of its API")
    return items


def _items_of_one(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what an account has; one that can't be read has an error in its place, with status 200."""
    if "data" not in answer and "errors" in answer:
        for state in _withheld(answer).values():
            raise AccountGone(f"X: the account is {state}", state)
        raise Unavailable("X's answer holds errors only")
    return _items(answer)


def _withheld(answer: Mapping[str, Any]) -> dict[str, State]:
    """Return what was asked for and not given, and why: X tells beside what it gives."""
    withheld = {}
    for problem in answer.get("errors", []):
        suspended = "has been suspended" in str(problem.get("detail")).casefold()
        if state := State.SUSPENDED if suspended else _WITHHELD.get(str(problem.get("type")).rpartition("/")[2]):
            withheld[str(problem.get("value") or problem.get("resource_id"))] = state
    return withheld


def _cursor(answer: Mapping[str, Any]) -> str:
    return str(answer.get("meta", {}).get("next_token") or "")


def _account(user: Mapping[str, Any]) -> Account:
    state = State.PROTECTED if user.get("protected") else State.OPEN
    return Account(str(user["id"]), str(user.get("username") or ""), str(user.get("name") or "")[:MAX_NAME_LENGTH], state)


def _read_post(post: Mapping[str, Any], account: Account) -> Post:
    own_id, counts = str(post["id"]), post.get("public_metrics") or {}
    refers = {reference.get("type") for reference in post.get("referenced_tweets") or []}
    return Post(
        # Of a post longer than 280 characters `text` is the beginning.
        text=str((post.get("note_tweet") or {}).get("text") or post.get("text") or ""),
        handle=account.handle,
        platform="twitter",
        name=account.name,
        account_id=account.id,
        posted_at=read_moment(post.get("created_at")),
        is_retweet="retweeted" in refers,
        # A thread goes on in replies to oneself.
        is_reply="replied_to" in refers or "in_reply_to_user_id" in post or str(post.get("conversation_id", own_id)) != own_id,
        facts={
            "source_id": own_id,
            "link": f"https://x.com/{account.handle}/status/{own_id}",
            "likes": int(counts.get("like_count") or 0),
            "shares": int(counts.get("retweet_count") or 0),
        },
    )


def _explain(response: requests.Response, told: Mapping[str, Any]) -> SourceError | None:
    status, kind = response.status_code, str(told.get("type")).rpartition("/")[2]
    if status == 401:
        return NotConfigured("X refuses the token (401): set X_BEARER_TOKEN to the app's present one, from https://console.x.com.")
    if status == 402 or kind == "usage-capped":
        return NotConfigured(f"X wants to be paid ({status} {kind}): add credits or raise the limit at https://console.x.com.")
    if status == 403 and kind in ("client-forbidden", "unsupported-authentication"):
        return NotConfigured(f"X does not open this to the app of X_BEARER_TOKEN (403 {kind}): enrol it at https://console.x.com.")
    if status == 403:
        return Banned(f"X refuses us ({' '.join(filter(None, ('403', str(told.get('title', ''))[:40])))})")
    spent = [prefix for prefix in _DAILY if status == 429 and response.headers.get(f"{prefix}remaining") == "0"]
    waits = [wait for prefix in spent if (wait := seconds_until(response.headers.get(f"{prefix}reset"), response.headers)) is not None]
    return RateLimited("X asks to wait: the requests of this day are used up", max(waits)) if waits else None
