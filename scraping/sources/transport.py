"""How client libraries built on requests reach their servers: timed, through our proxy or none, and heard in our own errors."""

import os
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ProtocolError

from scraping.sources.base import Limit, ProxyFailed, RateLimited, SourceError, Unavailable
from scraping.sources.headers import read_limit, read_wait
from scraping.sources.reasons import why

TIMEOUT_SECONDS = 30.0
# A full page is a tenth of it; the servers of Mastodon are anybody's.
MAX_BYTES = 16 << 20

# What an answer that is no success means at one source; None where nothing is special about it.
Explain = Callable[[requests.Response, Mapping[str, Any]], SourceError | None]


class Transport(HTTPAdapter):
    """Sends what a client library asks, and raises SourceError for every answer that is no success.

    `limit` is what the last answer's headers, which begin with `prefix`, said. Requests to `instead_of` go to
    `origin`. The library never sees the token: it would write it into its log.
    """

    def __init__(self, *, prefix: str, explain: Explain, proxy: str = "", token: str = "", instead_of: str = "", origin: str = "") -> None:
        super().__init__()
        self.limit: Limit | None = None
        self._prefix, self._explain, self._token = prefix, explain, token
        self._instead_of, self._origin = instead_of, origin
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}

    def mounted(self) -> requests.Session:
        """Return a session that has no other way out than this; the environment's proxies and passwords are not for it."""
        session = requests.Session()
        session.trust_env = False
        session.verify = os.environ.get("SSL_CERT_FILE") or True
        for scheme in ("http://", "https://"):
            session.mount(scheme, self)
        return session

    def add_headers(self, request: requests.PreparedRequest, **kwargs: Any) -> None:
        """Put the token in."""
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"

    def send(self, request: requests.PreparedRequest, *args: Any, verify: bool | str = True, **kwargs: Any) -> requests.Response:
        """Return the answer, whole; raises SourceError."""
        asked = request.url or ""
        if self._instead_of:
            request.url = asked = self._origin + asked.removeprefix(self._instead_of)
        host = urlsplit(asked).netloc
        try:
            response = super().send(request, stream=True, timeout=TIMEOUT_SECONDS, verify=verify, proxies=self._proxies)
        except requests.RequestException as error:
            raise self._failure(host, error) from error
        try:
            # Where requests itself looks for a body that was read.
            response._content = _read(response)
        except requests.RequestException as error:
            raise Unavailable(f"the answer of {host} broke off: {why(error)}") from error
        finally:
            response.close()
        self.limit = read_limit(response.headers, self._prefix) or self.limit
        if 200 <= response.status_code < 300:
            return response
        raise self._refusal(host, response)

    def _failure(self, host: str, error: requests.RequestException) -> SourceError:
        broke_off = isinstance(error, requests.ReadTimeout) or any(isinstance(cause, ProtocolError) for cause in error.args)
        if broke_off:
            return Unavailable(f"the answer of {host} broke off: {why(error)}")
        if self._proxies and not isinstance(error, requests.exceptions.SSLError):
            return ProxyFailed(f"the proxy to {host} failed: {why(error)}")
        return Unavailable(f"{host} can't be reached: {why(error)}")

    def _refusal(self, host: str, response: requests.Response) -> SourceError:
        told, status = told_by(response), response.status_code
        if status == 407:
            return ProxyFailed(f"the proxy to {host} wants another password")
        if special := self._explain(response, told):
            return special
        if status == 429:
            return RateLimited(f"{host} asks to wait", read_wait(response.headers, self._prefix))
        if status >= 500:
            return Unavailable(f"{host} is out of order ({status})")
        if response.is_redirect:
            return SourceError(f"{host} sends us on to {urlsplit(response.headers['location']).netloc or 'another page'}")
        said = " ".join(str(told.get("detail") or told.get("error") or "").split())[:120]
        return SourceError(f"{host} does not take the request ({status}{': ' if said else ''}{said})")


def told_by(response: requests.Response) -> dict[str, Any]:
    """Return the object that an answer holds; an empty one where it holds none."""
    try:
        told = response.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _read(response: requests.Response) -> bytes:
    body = bytearray()
    for part in response.iter_content(1 << 16):
        body += part
        if len(body) > MAX_BYTES:
            raise requests.exceptions.ContentDecodingError(f"more than {MAX_BYTES} bytes")
    return bytes(body)
