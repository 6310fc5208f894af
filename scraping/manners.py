"""Patience with a source: limits obeyed, errors slept over, proxies changed, bans believed.

One `Manners` is shared by all threads that read a source in one run, so that what one of them is told all of them heed.
"""

import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TypeVar

from django.conf import settings

from scraping.sources.base import Abilities, Banned, Limit, ProxyFailed, RateLimited, Source, Unavailable
from scraping.sources.registry import open_source

Answer = TypeVar("Answer")

# How often what fails is asked again, and how long the pauses between may get.
TRIES = 6
MAX_PAUSE_SECONDS = 60.0
# A proxy that failed is left alone for so long.
PROXY_REST_SECONDS = 300.0
# How soon somebody who waits hears that it shall stop.
LOOK_SECONDS = 0.1


class Stopped(Exception):
    """This process, or the run, was told to end."""


def pause_before(attempt: int, rng: random.Random) -> float:
    """Return the seconds to wait before `attempt` (1 is the first repetition): doubling, and half of it by chance.

    "Equal jitter" of https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """
    most = min(MAX_PAUSE_SECONDS, 2.0 ** (attempt - 1))
    return most / 2 + rng.random() * most / 2


class Manners:
    """Asks one source as it wants to be asked; the threads of a run share it, each with a connection of its own."""

    def __init__(
        self,
        *,
        name: str,
        should_stop: Callable[[], bool] = lambda: False,
        say: Callable[[str], None] = lambda line: None,
        rng: random.Random | None = None,
    ) -> None:
        self.name, self.should_stop, self.say = name, should_stop, say
        self.limit: Limit | None = None
        # Why nobody may ask any more, once the source has sent us away.
        self.ban = ""
        self._rng = rng or random.Random()
        self._lock = threading.Lock()
        self._mine = threading.local()
        self._open = ExitStack()
        self._quiet_until = 0.0
        # By proxy, when it may be used again; "" is our own address.
        self._rests: dict[str, float] = dict.fromkeys(settings.SCRAPE_PROXIES or [""], 0.0)
        self._users: dict[str, int] = dict.fromkeys(self._rests, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.close()

    @property
    def abilities(self) -> Abilities:
        """What the source can do; raises NotConfigured."""
        return self._source().abilities

    def ask(self, call: Callable[[Source], Answer]) -> Answer:
        """Return what `call` returns, after as many waits as the source asks for.

        Raises Stopped, Banned, NotConfigured, AccountGone, any other SourceError at once, and Unavailable after TRIES.
        """
        failures = waits = 0
        while True:
            self._wait_until_quiet_ends()
            try:
                source = self._source()
                answer = call(source)
            except RateLimited as refused:
                waits += 1
                # A source that says "at once" again and again means something else.
                least = pause_before(waits, self._rng)
                self._be_quiet(max(least, refused.seconds or 0.0), str(refused))
            except ProxyFailed as failed:
                self._rest_proxy(failed)
            except Banned as banned:
                self._take_ban(banned)
            except Unavailable as failed:
                failures += 1
                if failures >= TRIES:
                    raise
                self._sleep(pause_before(failures, self._rng), f"{failed}; trying again")
            else:
                self._note(source.limit)
                return answer

    def _note(self, limit: Limit | None) -> None:
        if limit is None:
            return
        self.limit = limit
        if limit.remaining == 0:
            # The next request would be refused: it is not made.
            self._be_quiet(limit.resets_in, f"the limit of {self.name} is used up")

    def _be_quiet(self, seconds: float, why: str) -> None:
        with self._lock:
            self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)
        if seconds >= 1:
            self.say(f"{why}: waiting {seconds:.0f} s")

    def _wait_until_quiet_ends(self) -> None:
        while True:
            if self.should_stop():
                raise Stopped
            if self.ban:
                raise Banned(self.ban)
            left = self._quiet_until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, LOOK_SECONDS))

    def _sleep(self, seconds: float, why: str) -> None:
        if seconds >= 1:
            self.say(f"{why} in {seconds:.0f} s")
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.should_stop():
                raise Stopped
            time.sleep(min(left, LOOK_SECONDS))

    def _source(self) -> Source:
        """Return this thread's connection, made when it is first needed, through the proxy that fewest use."""
        source: Source | None = getattr(self._mine, "source", None)
        if source is None:
            with self._lock:
                awake = [proxy for proxy, until in self._rests.items() if until <= time.monotonic()]
                if not awake:
                    raise Unavailable(f"no proxy for {self.name} works")
                proxy = min(awake, key=lambda one: self._users[one])
                self._users[proxy] += 1
            self._mine.source = source = open_source(self.name, proxy=proxy)
            self._mine.proxy = proxy
            with self._lock:
                self._open.callback(source.close)
        return source

    def _leave(self, seconds: float) -> None:
        """Give up this thread's connection, and let its proxy rest."""
        proxy, source = self._mine.proxy, self._mine.source
        with self._lock:
            self._rests[proxy] = time.monotonic() + seconds
            self._users[proxy] -= 1
        self._mine.source = None
        source.close()

    def _rest_proxy(self, failed: ProxyFailed) -> None:
        # Without a proxy of ours it is the way to the source that failed.
        if self._rests.keys() == {""}:
            raise Unavailable(str(failed)) from failed
        self._leave(PROXY_REST_SECONDS)
        self.say(f"{failed}; taking another one")

    def _take_ban(self, banned: Banned) -> None:
        if settings.SCRAPE_ROTATE and any(until <= time.monotonic() for proxy, until in self._rests.items() if proxy != self._mine.proxy):
            self._leave(float("inf"))
            self.say(f"{banned}; going on through another proxy")
            return
        self.ban = str(banned)
        raise banned
