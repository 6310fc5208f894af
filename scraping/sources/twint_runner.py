"""twint in a process of its own: jobs on stdin, answers on stdout, a line of JSON each. Nothing here knows Django, or the rest of ours.

The first line is the connection: {"proxy": address or "", "timeout": seconds}. Every other one is a job:
{"task": "posts" or "followers", "handle", "cursor"}, {"task": "account", "handle"}, {"task": "account_of_id", "id"}.
An answer holds what was asked for, or {"error", "message"}. The `cursor` of a page asks for the next one and depends
on nothing else, so whoever stores both together loses nothing, wherever either process is killed.
This process ends when stdin does: nobody is left to read for.

Of twint, which stays as it was released, we use the addresses, the parsers and the records. What it does between
two pages is replaced, and so is how it fetches one: it sleeps up to half an hour on a ban, takes one for the end of
the posts, sends no password to a proxy, and goes round the proxy when it looks up an id.
"""

import asyncio
import json
import logging
import os
import queue
import ssl
import sys
import threading
from typing import Any, TextIO
from urllib.parse import urljoin, urlsplit

import aiohttp
import twint
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError
from bs4 import BeautifulSoup
from twint import feed, get, user
from twint.storage import write_meta

# How twint calls the newest page.
NEWEST = "-1"
HOSTS = {"twitter.com", "mobile.twitter.com"}
# Where the site sends those whom it does not let read.
WALLS = ("/login", "/account/login", "/account/access", "/session")
LOGIN_FORM = "session[username_or_email]"
HEADERS = ("date", "retry-after", "x-rate-limit-reset")
NONSENSE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
CONNECT_SECONDS = 20.0


class Refused(Exception):
    """What keeps us from a page; `error` is the kind, `more` what else is known."""

    def __init__(self, error: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.answer = {"error": error, "message": message, **more}


class Reader(twint.run.Twint):
    """A page as twint reads it, without its retries, its naps and its files."""

    def __init__(self, handle: str, cursor: str, *, followers: bool = False) -> None:
        self.found: list[Any] = []
        self.body = ""
        config = twint.Config()
        config.Username, config.TwitterSearch, config.Followers = handle, not followers, followers
        # Names keep their capitals, as in the links. Nothing is printed, nothing is kept for pandas.
        config.Lowercase, config.Hide_output, config.Pandas_clean = False, True, False
        config.Store_object, config.Store_object_tweets_list, config.Store_object_follow_list = True, self.found, self.found
        super().__init__(config)
        self.init = cursor or NEWEST

    async def Feed(self) -> None:  # noqa: N802 - twint's name
        self.body = await get.RequestUrl(self.config, self.init)
        self.feed, self.init = (feed.Follow if self.config.Followers else feed.Json)(self.body)

    async def read(self) -> "Reader":
        """Read the page; afterwards `found` are its posts or names, and `cursor` asks for the next one."""
        try:
            await (self.follow() if self.config.Followers else self.tweets())
        except NONSENSE as error:
            raise _explain(self.body, error) from error
        return self

    @property
    def cursor(self) -> str:
        # After the last followers twint has a list where the cursor should be, and asks for "[]".
        return self.init if isinstance(self.init, str) else ""

    @property
    def is_followed_by_more(self) -> bool:
        return bool(json.loads(self.body).get("has_more_items"))


class Client:
    """Takes the place of twint.get.Request: one connection that is kept, one proxy for everything, and no redirects."""

    def __init__(self, proxy: str, timeout: float) -> None:
        # Proxies resolve names in any case; aiohttp_socks does not know the name for that.
        address = proxy.replace("socks5h://", "socks5://", 1)
        self._session = aiohttp.ClientSession(
            connector=ProxyConnector.from_url(address) if proxy else aiohttp.TCPConnector(),
            timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, CONNECT_SECONDS)),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def request(self, url: str, connector: None = None, params: Any = (), headers: Any = ()) -> str:
        """Return the body of a page, or raise Refused."""
        del connector, headers  # the session has its own
        agent = await get.RandomUserAgent(wa=True)
        try:
            async with self._session.get(url, params=params, headers={"User-Agent": agent}, allow_redirects=False) as response:
                body = await response.text(errors="replace")
        except (ProxyError, ProxyConnectionError, ProxyTimeoutError) as error:
            raise Refused("proxy", f"the proxy of twint failed: {error}") from error
        except TimeoutError as error:
            raise Refused("unavailable", "twitter.com took too long to answer") from error
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise Refused("unavailable", "twitter.com shows a certificate that SSL_CERT_FILE does not vouch for") from error
            raise Refused("unavailable", f"twitter.com's answer broke off: {type(error).__name__}") from error
        _judge(response, body)
        return body


def _judge(response: aiohttp.ClientResponse, body: str) -> None:
    status, path = response.status, response.url.path
    if 300 <= status < 400:
        raise _follow(response)
    if status == 429:
        told = {name: response.headers[name] for name in HEADERS if name in response.headers}
        raise Refused("limited", "twitter.com asks to wait", headers=told)
    if status in (401, 403):
        raise Refused("banned", f"twitter.com refuses us ({status})")
    if status in (404, 410):
        if path.startswith("/i/"):
            raise Refused("retired", f"twitter.com has no {path} ({status})")
        raise Refused("gone", "twitter.com has no such account", state="missing")
    if status != 200:
        raise Refused("unavailable", f"twitter.com is out of order ({status})")
    if not body.strip():
        raise Refused("banned", "twitter.com answers with nothing at all")
    if response.content_type == "text/html" and "</html>" not in body:
        raise Refused("unavailable", "twitter.com's page is cut off")


def _follow(response: aiohttp.ClientResponse) -> Refused:
    """Say what it means to be sent elsewhere."""
    target = urlsplit(urljoin(str(response.url), response.headers.get("location", "")))
    if target.hostname not in HOSTS:
        return Refused("retired", f"twitter.com sends us to {target.hostname}")
    if target.path.startswith("/account/suspended"):
        return Refused("gone", "the account is suspended", state="suspended")
    if target.path.startswith(WALLS):
        return Refused("banned", "twitter.com wants us to log in")
    return Refused("unavailable", f"twitter.com sends us to {target.path}")


def _explain(body: str, error: Exception) -> Refused:
    if LOGIN_FORM in body:
        return Refused("banned", "twitter.com wants us to log in")
    return Refused("unavailable", f"twitter.com's page makes no sense to twint: {type(error).__name__}")


async def look_up(handle: str) -> dict[str, Any]:
    """Return what the page of an account says of it."""
    body = await get.Request(f"https://twitter.com/{handle}?lang=en")
    soup = BeautifulSoup(body, "html.parser")
    try:
        account = {name: str(user.inf(soup, name)) for name in ("id", "username", "name")}
        counts = {"posts": user.stat(soup, "tweets is-active"), "followers": user.stat(soup, "followers")}
        return account | counts | {"state": "protected" if user.inf(soup, "private") else "open"}
    except NONSENSE as error:
        raise _explain(body, error) from error


async def look_up_id(account_id: str) -> dict[str, Any]:
    """Return what look_up does, by the id."""
    try:
        handle = await get.Username(account_id)
    except NONSENSE as error:
        raise _explain("", error) from error
    return await look_up(handle)


async def read_posts(handle: str, cursor: str) -> dict[str, Any]:
    """Return a page of what an account wrote."""
    page = await Reader(handle, cursor).read()
    if not page.feed and not (page.is_followed_by_more and page.cursor not in ("", cursor)):
        # The end of the posts, or of the site's patience: then the newest ones are gone too.
        if not cursor or not (await Reader(handle, "").read()).feed:
            await refuse_empty(handle, "posts")
        return {"posts": [], "cursor": ""}
    return {"posts": [write_meta.Data(post, "tweet") for post in page.found], "cursor": page.cursor}


async def read_followers(handle: str, cursor: str) -> dict[str, Any]:
    """Return a page of the names of those who follow an account."""
    page = await Reader(handle, cursor, followers=True).read()
    if not page.found:
        await refuse_empty(handle, "followers")
    return {"followers": page.found, "cursor": page.cursor}


async def refuse_empty(handle: str, what: str) -> None:
    """Raise Refused where an account has what its pages don't show."""
    account = await look_up(handle)
    if account["state"] != "open":
        raise Refused("gone", f"the account is {account['state']}", state=account["state"])
    if account[what]:
        raise Refused("banned", f"twitter.com shows nothing of the {account[what]} {what} of an account")


async def carry_out(job: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a job."""
    try:
        match job["task"]:
            case "posts":
                return await read_posts(job["handle"], job["cursor"])
            case "followers":
                return await read_followers(job["handle"], job["cursor"])
            case "account":
                return {"account": await look_up(job["handle"])}
            case _:
                return {"account": await look_up_id(job["id"])}
    except Refused as refused:
        return refused.answer


async def serve(lines: "queue.SimpleQueue[bytes]", answers: TextIO) -> None:
    """Answer job after job, for ever."""
    get.Request = Client(**json.loads(lines.get())).request
    while True:
        # In a thread, so that connections which the server closes meanwhile are noticed.
        job = json.loads(await asyncio.to_thread(lines.get))
        print(json.dumps(await carry_out(job)), file=answers, flush=True)


def _listen(lines: "queue.SimpleQueue[bytes]") -> None:
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # twint prints
    logging.disable()
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    asyncio.run(serve(lines, answers))


if __name__ == "__main__":
    main()
