"""Models that another server runs: anything that speaks OpenAI's `/v1/completions`, such as vLLM or llama.cpp's server."""

import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from circuitbreaker import CircuitBreaker
from django.conf import settings
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from generation.backends.base import BackendError, Sample, Sampling, Tokens, UnusableModelError

Asked = TypeVar("Asked")
Told = TypeVar("Told")

logger = logging.getLogger(__name__)

# Completions in one request, and requests under way at once.
AT_ONCE, REQUESTS = 16, 4
CONNECT_SECONDS = 5.0
TRIES = 3
# A server that asks for a longer pause than this is waited for so long.
LONGEST_PAUSE = 20.0
# After so many failures in a row, tries of any request, a server is left alone for a while.
FAILURES, REST_SECONDS = 6, 30
WORTH_ANOTHER_TRY = {429, 500, 502, 503, 504}
# 256 texts of 120 tokens with their probabilities are a tenth of it.
LARGEST_ANSWER = 20_000_000
_ADDRESS = "use http:// or https://, a host, and a path that ends in /v1."


class _BusyError(Exception):
    """The server can't answer now, and may later: after `pause` seconds, if it says."""

    def __init__(self, what: str, pause: float = 0.0) -> None:
        super().__init__(what)
        self.pause = pause


class _RefusedError(BackendError):
    """The server does not want the request as it is."""


@cache
def _breaker_of(server: str) -> CircuitBreaker:
    return CircuitBreaker(failure_threshold=FAILURES, recovery_timeout=REST_SECONDS, expected_exception=_BusyError, name=server)


def check_served(server: str, served_as: str) -> str:
    """Return the server's address without a slash at its end; raises UnusableModelError."""
    try:
        parts = urlsplit(server)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not parts.query and not parts.fragment
    except ValueError:  # of a port or a bracket
        raise UnusableModelError(f"{server!r} is no server: {_ADDRESS}") from None
    if parts.username is not None or parts.password is not None:
        # Not repeated: it holds a password.
        raise UnusableModelError("A server's address holds no user and no password: its key stands in GENERATION_HTTP_KEY.")
    if not usable or any(character <= " " for character in server):
        raise UnusableModelError(f"{server!r} is no server: {_ADDRESS}")
    if not served_as:
        raise UnusableModelError(f"What {server} calls the model is not known: say it with --served-as.")
    return server.rstrip("/")


class HttpBackend:
    """One model of one server."""

    def __init__(self, server: str, served_as: str, tokens: Tokens) -> None:
        self.server = check_served(server, served_as)
        self.model, self.tokens = served_as, tokens
        key = settings.GENERATION_HTTP_KEY
        # No proxy and no .netrc of this machine, no redirect: the key goes to this server alone.
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(settings.GENERATION_HTTP_SECONDS, connect=CONNECT_SECONDS),
            trust_env=False,
            follow_redirects=False,
        )
        self._breaker = _breaker_of(self.server)
        # What this server was found not to take.
        self._refused: set[str] = set()
        self._at_once = AT_ONCE

    def generate(self, *, count: int, sampling: Sampling, prompt: str = "") -> list[Sample]:
        """Write `count` texts that begin with `prompt`, which they hold; raises BackendError."""
        body = {
            "prompt": self.tokens.start + prompt,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.topp,
            "top_k": sampling.topk or -1,  # said too where all tokens may be drawn: servers have defaults of their own
        }
        if self.tokens.end:
            body["stop"] = [self.tokens.end]
        samples: list[Sample] = []
        while len(samples) < count:
            parts = _split(count - len(samples), self._at_once)
            for choices in self._all(self._complete, [body | {"n": n} for n in parts]):
                samples += [Sample(prompt + choice["text"], choice.get("finish_reason") == "stop") for choice in choices]
        return samples[:count]

    def likelihoods(self, texts: Sequence[str], *, max_tokens: int) -> list[float]:
        """Return the mean log-probability of each text's tokens and its end, in nats; raises BackendError.

        Of a longer text the first `max_tokens` count.
        """
        prompts = [self.tokens.start + text + self.tokens.end for text in texts]
        parts = [prompts[at : at + AT_ONCE] for at in range(0, len(prompts), AT_ONCE)]
        return [mean for part in self._all(partial(self._score, max_tokens=max_tokens), parts) for mean in part]

    def _all(self, ask: Callable[[Asked], list[Told]], requests: Sequence[Asked]) -> list[list[Told]]:
        with ThreadPoolExecutor(REQUESTS) as pool:
            futures = [pool.submit(ask, request) for request in requests]
            try:
                return [future.result() for future in futures]
            finally:
                for future in futures:
                    future.cancel()

    def _complete(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Return some choices, `n` of them where the server gives so many at once; asks for less of what it refuses."""
        n = min(body["n"], self._at_once)
        try:
            choices = self._choices(body | {"n": n})
        except _RefusedError as error:
            if "top_k" in str(error) and "top_k" not in self._refused:
                logger.warning("%s takes no top_k: it draws from all tokens, or from as many as its own default says", self.server)
                self._refused.add("top_k")
            elif n > 1:
                self._at_once = 1
            else:
                raise
            return self._complete(body)
        if len(choices) < n:
            self._at_once = len(choices)
        return choices

    def _score(self, prompts: list[str], max_tokens: int) -> list[float]:
        body = {"prompt": prompts, "max_tokens": 1, "temperature": 1.0, "echo": True, "logprobs": 1}
        try:
            choices = sorted(self._choices(body), key=lambda choice: choice.get("index", 0))
            return [self._mean(choice["logprobs"], prompt, max_tokens) for choice, prompt in zip(choices, prompts, strict=True)]
        except (_RefusedError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            why = f" ({error})" if isinstance(error, _RefusedError) else ""
            raise BackendError(
                f"{self.server} does not say how likely a text is (echo with logprobs), which the judge needs:"
                f" take judge.bin out of the model's folder, and lengths alone decide.{why}"
            ) from error

    def _mean(self, logprobs: Mapping[str, Any], prompt: str, max_tokens: int) -> float:
        values = [
            float(value)
            for value, at in zip(logprobs["token_logprobs"], logprobs["text_offset"], strict=True)
            # The first token has none; the last one was not asked for.
            if value is not None and len(self.tokens.start) <= at < len(prompt)
        ][:max_tokens]
        return math.fsum(values) / len(values)

    def _choices(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        said = {name: value for name, value in body.items() if name not in self._refused}
        answer = self._ask({"model": self.model} | said)
        choices = answer.get("choices") if isinstance(answer, dict) else None
        if not isinstance(choices, list) or not choices:
            raise BackendError(f"{self.server} answered without `choices`.")
        if not all(isinstance(choice, dict) and isinstance(choice.get("text"), str) for choice in choices):
            raise BackendError(f"{self.server} answered with choices that hold no `text`.")
        return choices

    def _ask(self, body: dict[str, Any]) -> Any:
        """Ask until there is an answer, a few times; raises BackendError."""
        retrying = Retrying(
            retry=retry_if_exception_type(_BusyError), stop=stop_after_attempt(TRIES), wait=_pause, reraise=True, before_sleep=self._say
        )
        try:
            return retrying(self._ask_once, body)
        except _BusyError as error:
            raise BackendError(f"{self.server} {error}, {TRIES} times.") from error

    def _ask_once(self, body: dict[str, Any]) -> Any:
        if self._breaker.opened:
            raise BackendError(
                f"{self.server} failed {self._breaker.failure_count} times in a row, and is left alone for"
                f" {max(self._breaker.open_remaining, 1)} s more. The last time it {self._breaker.last_failure}."
            )
        with self._breaker:
            try:
                deadline = time.monotonic() + settings.GENERATION_HTTP_SECONDS
                with self._client.stream("POST", f"{self.server}/completions", json=body) as answer:
                    content = _read(answer, deadline)
            except httpx.TimeoutException as error:
                raise _BusyError(f"did not answer in time ({type(error).__name__})") from error
            except httpx.TransportError as error:
                raise _BusyError(f"could not be reached, or hung up ({error or type(error).__name__})") from error
            except httpx.InvalidURL as error:
                raise BackendError(f"{self.server} is no address: {error}.") from error
            if answer.status_code in WORTH_ANOTHER_TRY:
                raise _BusyError(f"answered {answer.status_code}", _retry_after(answer))
        return self._read_json(answer.status_code, content)

    def _read_json(self, status: int, content: bytes) -> Any:
        said = " ".join(content[:300].decode("utf-8", "replace").split())
        if status in (400, 422):
            raise _RefusedError(f"{self.server} refused the request ({status}): {said}")
        if status in (401, 403):
            raise BackendError(f"{self.server} answered {status}: set GENERATION_HTTP_KEY to the key that it wants.")
        if status != 200:
            raise BackendError(f"{self.server} answered {status}: {said or 'nothing'}")
        if len(content) > LARGEST_ANSWER:
            raise BackendError(f"{self.server} answered with more than {LARGEST_ANSWER:,} bytes.")
        try:
            return json.loads(content)
        except ValueError as error:
            raise BackendError(f"{self.server} answered with something that is no JSON: {said[:80] or 'nothing'}") from error

    def _say(self, state: RetryCallState) -> None:
        logger.warning(
            "%s %s: try %d of %d follows", self.server, state.outcome and state.outcome.exception(), state.attempt_number + 1, TRIES
        )


_jitter = wait_exponential_jitter(multiplier=0.25, max=4, jitter=0.5)


def _pause(state: RetryCallState) -> float:
    """Return the seconds until the next try: what the server asked for, or else longer each time; never the same for two workers."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.pause if isinstance(error, _BusyError) else 0.0
    return min(asked, LONGEST_PAUSE) + _jitter(state)


def _retry_after(answer: httpx.Response) -> float:
    try:
        seconds = float(answer.headers.get("Retry-After", "0"))
    except ValueError:  # a date: clocks differ
        return 0.0
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0


def _read(answer: httpx.Response, deadline: float) -> bytes:
    content = bytearray()
    for part in answer.iter_bytes():
        content += part
        if time.monotonic() > deadline:  # httpx counts from packet to packet
            raise httpx.ReadTimeout("still answering")
        if len(content) > LARGEST_ANSWER:
            break
    return bytes(content)


def _split(count: int, size: int) -> list[int]:
    return [min(size, count - at) for at in range(0, count, size)]
