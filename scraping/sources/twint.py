"""twint 2.1.20, in a process of its own (scraping.sources.twint_runner).

It reads the twitter.com of before September 2020, which is gone: mirrors of it, behind a proxy, and the tests' own.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from scraping.records import MAX_NAME_LENGTH, read_record
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
    ProxyFailed,
    RateLimited,
    SourceError,
    State,
    Unavailable,
)
from scraping.sources.headers import read_wait

TIMEOUT_SECONDS = 60.0
INSTALL = "twint is not installed: sh requirements/install.sh scrape"
ROOT = Path(__file__).resolve().parents[2]
# All that the process needs of our environment: none of our secrets are in there.
PASSED_ON = (
    "PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "LD_LIBRARY_PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SYSTEMROOT",
)
_HANDLE = re.compile(r"[A-Za-z0-9_]{1,20}")
_ERRORS: dict[str, type[SourceError]] = {"banned": Banned, "proxy": ProxyFailed, "unavailable": Unavailable}


class TwintSource:
    """Reads through one twint process, which is started by the first question and by the first after it died."""

    name = "twint"
    platform = "twitter"
    abilities = Abilities(followers=True, page_size=20)
    limit: Limit | None = None  # the pages said nothing of it

    def __init__(self, *, proxy: str = "") -> None:
        if importlib.util.find_spec("twint") is None:
            raise NotConfigured(INSTALL)
        self._proxy = proxy
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None

    def resolve(self, handles: Sequence[str]) -> list[Account]:
        """Return the accounts of handles, in their order, by the page of each."""
        return [self._look_up(handle, handle=handle) for handle in handles]

    def resolve_ids(self, ids: Sequence[str]) -> list[Account]:
        """Return the accounts of ids, in their order: digits, or handles where they come from `fetch_followers`."""
        return [self._look_up(name, id=name) if name.isdecimal() else self._look_up(name, handle=name.lstrip("@")) for name in ids]

    def fetch_posts(self, account: Account, *, cursor: str = "", newer_than: str = "", most: int = 0) -> Page:
        """Return a page of what the account wrote; the site can't be asked for what is newer than a post."""
        answer = self._ask(task="posts", handle=account.handle, cursor=cursor)
        return Page(tuple(_read_post(record, account) for record in answer["posts"]), answer["cursor"])

    def fetch_followers(self, account: Account, *, cursor: str = "") -> FollowerPage:
        """Return a page of followers. Their *handles*: twint has no ids of them. One that is all digits keeps its @."""
        answer = self._ask(task="followers", handle=account.handle, cursor=cursor)
        return FollowerPage(tuple(f"@{name}" if name.isdecimal() else name for name in answer["followers"]), answer["cursor"])

    def find_gone(self, posts: Sequence[PostRef]) -> set[str]:
        """Refuse: twint has no question for that."""
        raise SourceError("twint can't tell whether posts are still there")

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def _look_up(self, name: str, **by: str) -> Account:
        asked = Account(by.get("id", ""), by.get("handle", ""), state=State.MISSING)
        if not _HANDLE.fullmatch(name.lstrip("@")):
            return asked
        try:
            found = self._ask(task="account_of_id" if "id" in by else "account", **by)["account"]
        except AccountGone as gone:
            return replace(asked, state=gone.state)
        return Account(found["id"], found["username"], found["name"][:MAX_NAME_LENGTH], State(found["state"]))

    def _ask(self, **job: str) -> dict[str, Any]:
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        line = b""
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._bury()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise _refusal(answer)
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "scraping.sources.twint_runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            cwd=ROOT,
            # twint writes times of the machine's zone.
            env={name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"TZ": "UTC"},
            start_new_session=True,
        )
        assert self._process.stdin is not None
        # Not as an argument: everybody can read those.
        self._process.stdin.write(json.dumps({"proxy": self._proxy, "timeout": TIMEOUT_SECONDS}).encode() + b"\n")
        return self._process

    def _bury(self) -> SourceError:
        """Say what the process ended of; the next question starts another."""
        self.close()
        assert self._complaints is not None
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip().splitlines()
        if said and said[-1].startswith("ModuleNotFoundError"):
            return NotConfigured(INSTALL)
        return Unavailable(f"twint ended: {said[-1][:200] if said else 'it was killed'}")


def _refusal(answer: dict[str, Any]) -> SourceError:
    message = answer["message"]
    match answer["error"]:
        case "limited":
            return RateLimited(message, read_wait(answer["headers"], "x-rate-limit-"))
        case "gone":
            return AccountGone(message, State(answer["state"]))
        case "retired":
            return NotConfigured(f"{message}: twint needs a proxy to a mirror of the twitter.com of 2020 (docs/scraping.md)")
        case error:
            return _ERRORS[error](message)


def _read_post(record: dict[str, Any], account: Account) -> Post:
    try:
        post = replace(read_record(record, handle=account.handle), handle=account.handle)
    except ValueError as error:
        raise Unavailable(f"twint's record {error}") from error
    if post.is_retweet:  # the record is that of the tweet that was repeated
        return replace(post, name=account.name, facts=post.facts | {"source_id": str(record["retweet_id"])})
    return post
