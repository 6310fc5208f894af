"""A browser that costs nearly nothing: what it needs itself would count on both sides of a ratio, and hide the difference."""

import re
import time
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from bench.report import NotMeasured

_FORM = re.compile(r'hx-post="(/guess/[^"]+/)"')


class Player:
    """Somebody who plays over one connection that is kept alive."""

    def __init__(self, port: int) -> None:
        self.connection = HTTPConnection("127.0.0.1", port)
        self.cookies: dict[str, str] = {}
        self.seconds = 0.0  # the last request took

    def get(self, path: str, *, htmx: bool = False) -> tuple[int, str]:
        """Return status and body of a page."""
        return self._request("GET", path, None, htmx)

    def post(self, path: str, fields: dict[str, str], *, htmx: bool = False) -> tuple[int, str]:
        """Return status and body of the answer to a form."""
        return self._request("POST", path, urlencode(fields), htmx)

    def next_guess(self, category: str) -> str:
        """Turn up the next card of a category and return where its guess goes."""
        status, page = self.get(f"/play/{category}/", htmx=True)
        form = _FORM.search(page)
        if form is None:
            raise NotMeasured(f"No card in {category}: the game answered {status}.")
        return form[1]

    def _request(self, method: str, path: str, body: str | None, htmx: bool) -> tuple[int, str]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if htmx:
            headers["HX-Request"] = "true"
        if body is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "X-CSRFToken": self.cookies.get("csrftoken", "")}
        start = time.perf_counter()
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        answer = response.read()
        self.seconds = time.perf_counter() - start
        for header in response.headers.get_all("Set-Cookie", []):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(header).items()}
        return response.status, answer.decode(errors="replace")
