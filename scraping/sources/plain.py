"""The words of a post that comes as HTML, as Mastodon and its kin write it (https://docs.joinmastodon.org/spec/activitypub/#sanitization)."""

import re
from collections.abc import Iterable
from html.parser import HTMLParser

_BLOCKS = frozenset(("p", "div", "blockquote", "ul", "ol", "li", "pre", "h1", "h2", "h3", "h4", "h5", "h6"))


def plain(html: str, shortcodes: Iterable[str] = ()) -> str:
    """Return the words of `html`: addresses whole, a line a line; without the pictures that stand as `:shortcode:`."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    text = "".join(reader.parts)
    if names := "|".join(map(re.escape, shortcodes)):
        text = re.sub(rf"(?<![A-Za-z0-9:]):(?:{names}):(?![A-Za-z0-9:])", "", text)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._address = ""
        self._shown_from = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self.parts.append("\n")
        elif tag in _BLOCKS:
            self.parts.append("\n\n" if tag == "p" else "\n")
        elif tag == "a":
            self.handle_endtag("a")  # one may have been left open
            said = {name: value or "" for name, value in attrs}
            kinds = f"{said.get('class', '')} {said.get('rel', '')}".split()
            # Mentions and hashtags lead to pages, but are words.
            self._address = "" if {"mention", "hashtag", "tag"}.intersection(kinds) else said.get("href", "")
            self._shown_from = len(self.parts)

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")
        elif tag == "a" and self._address:
            shown = "".join(self.parts[self._shown_from :]).strip()
            # What leads to a page may read like any word: then both are kept, so that cleaning sees the link.
            if shown[:1] not in ("@", "#"):
                self.parts[self._shown_from :] = [self._address if _bare(shown) == _bare(self._address) else f"{shown} {self._address}"]
            self._address = ""

    def close(self) -> None:
        super().close()
        self.handle_endtag("a")

    def handle_data(self, data: str) -> None:
        # A line break of the source is a space; parts of an address may be hidden from the eye, never from us.
        self.parts.append(data.replace("\n", " "))


def _bare(address: str) -> str:
    return re.sub(r"^https?://(?:www\.)?|/$", "", address)
