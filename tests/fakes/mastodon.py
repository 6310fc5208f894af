"""Mastodon servers: the part of their API that needs no account."""

import html
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from tests.fakes.server import FakeServer, Reply, Request
from tests.fakes.world import Person, World, WorldPost, is_own_opener

HOST = "birds.example"
LIMIT = 300
# Numbers of posts are made of the time, and too long for a float.
_POSTS_FROM = 110_000_000_000_000_000
# A page of followers goes on by the number of the following, not of the follower.
_FOLLOWS_FROM = 900_000


def status_id(post: WorldPost) -> str:
    """Return a post's number at every server of the world."""
    return str(_POSTS_FROM + post.key)


class MastodonFake(FakeServer):
    """Every server of a world: the one that is asked by an address of this machine is `HOST`.

    `profiles` and `marks` hold what else an account (by handle) or a post (by key) says of itself.
    `demands_sign_in` and `has_lists` (since Mastodon 4.3) are choices of a server.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.remaining = LIMIT
        self.profiles: dict[str, dict[str, Any]] = {}
        self.marks: dict[int, dict[str, Any]] = {}
        self.demands_sign_in = False
        self.has_lists = True

    def answer(self, request: Request) -> Reply:
        """Answer by path, and count."""
        self.remaining -= 1
        reply = refuse(401, "This method requires an authenticated user") if self.demands_sign_in else self._answer(request)
        reply.headers |= self.limits(self.remaining, 300)
        return reply

    def limits(self, remaining: int, seconds: float) -> dict[str, str]:
        """Return the headers of the rate limit."""
        reset = datetime.fromtimestamp(int(self.now()) + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        return {"X-RateLimit-Limit": str(LIMIT), "X-RateLimit-Remaining": str(remaining), "X-RateLimit-Reset": reset}

    def too_many(self, seconds: float) -> Reply:
        """Return the answer to one request too many."""
        return refuse(429, "Too many requests", self.limits(0, seconds))

    def _answer(self, request: Request) -> Reply:
        host = HOST if request.headers["Host"].startswith("127.0.0.1") else request.headers["Host"]
        match request.path.removeprefix("/api/v1/").split("/"):
            case ["accounts", "lookup"]:
                acct = request.query["acct"].casefold()
                return self._show(self.world.people.get(acct if "@" in acct else f"{acct}@{host}"), host)
            case ["accounts", number]:
                return self._show(self.world.find(int(number)), host)
            case ["accounts", number, "statuses"]:
                person = self.world.find(int(number))
                return self._statuses(person, host, request) if person and person.state != "missing" else refuse(404, "Record not found")
            case ["accounts", number, "followers"]:
                person = self.world.find(int(number))
                return self._followers(person, host, request) if person and person.state != "missing" else refuse(404, "Record not found")
            case ["statuses"] if self.has_lists:
                if len(request.all["id[]"]) > 20:
                    return refuse(422, "Validation failed: too many ids")
                return Reply([self._status(*found, host) for found in self._find(request.all["id[]"])])
            case ["statuses", number]:
                found = self._find([number])
                return Reply(self._status(*found[0], host)) if found else refuse(404, "Record not found")
        return refuse(404, "Not Found")

    def _find(self, numbers: Sequence[str]) -> list[tuple[Person, WorldPost]]:
        people = [person for person in self.world.people.values() if person.state not in ("suspended", "missing")]
        return [(person, post) for person in people for post in person.visible() if status_id(post) in numbers]

    def _show(self, person: Person | None, host: str) -> Reply:
        if person is None or person.state == "missing":
            return refuse(404, "Record not found")
        return Reply(self._account(person, host))

    def _account(self, person: Person, host: str) -> dict[str, Any]:
        user, _, home = person.handle.partition("@")
        view: dict[str, Any] = {
            "id": str(person.key),
            "username": user,
            "acct": user if home == host else person.handle,
            "display_name": person.name,
            "locked": False,
            "bot": False,
            "created_at": "2022-11-01T00:00:00.000Z",
            "note": "<p>Writes of birds.</p>",
            "url": f"https://{home}/@{user}",
            "followers_count": len(person.followers),
            "statuses_count": len(person.posts),
            "emojis": [],
            "fields": [],
        }
        if home == host:
            view["noindex"] = person.state == "declined"
        if person.state == "suspended":
            view |= {"suspended": True, "display_name": "", "note": ""}
        return view | self.profiles.get(person.handle, {})

    def _statuses(self, person: Person, host: str, request: Request) -> Reply:
        posts = person.visible() if person.state != "suspended" else []
        # Replies to oneself are no replies to Mastodon, and the world knows no others.
        posts = [post for post in posts if not (post.repost and request.query.get("exclude_reblogs"))]
        newest, oldest = int(request.query.get("max_id", 10**19)), int(request.query.get("since_id", 0))
        posts = [post for post in posts if oldest < int(status_id(post)) < newest]
        page = posts[: min(40, int(request.query.get("limit", "20")))]
        numbers = [status_id(post) for post in page]
        return Reply([self._status(person, post, host) for post in page], headers=_link(request, host, numbers, 40))

    def _followers(self, person: Person, host: str, request: Request) -> Reply:
        follows = [(_FOLLOWS_FROM - place, key) for place, key in enumerate(person.followers)]
        newest = int(request.query.get("max_id", 10**19))
        page = [(follow, key) for follow, key in follows if follow < newest][: min(80, int(request.query.get("limit", "40")))]
        views = [self._follower(key, host) for _, key in page]
        return Reply(views, headers=_link(request, host, [str(follow) for follow, _ in page], 80))

    def _follower(self, key: int, host: str) -> dict[str, Any]:
        person = self.world.find(key)
        if person:
            return self._account(person, host)
        return {"id": str(key), "username": f"u{key}", "acct": f"u{key}", "display_name": "", "url": f"https://{host}/@u{key}"}

    def _status(self, person: Person, post: WorldPost, host: str) -> dict[str, Any]:
        user, _, home = person.handle.partition("@")
        view: dict[str, Any] = {
            "id": status_id(post),
            "created_at": post.at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "in_reply_to_id": str(_POSTS_FROM + post.reply_to) if post.reply_to else None,
            "in_reply_to_account_id": str(person.key) if post.reply_to else None,
            "sensitive": False,
            "spoiler_text": "",
            "visibility": "public",
            "language": "en",
            "url": f"https://{home}/@{user}/{status_id(post)}",
            "favourites_count": post.likes,
            "reblogs_count": post.shares,
            "content": to_html(post.text),
            "reblog": {"id": "1", "content": to_html(post.text)} if post.repost else None,
            "account": self._account(person, host),
            "media_attachments": [],
            "mentions": [],
            "tags": [],
            "emojis": [],
            "card": None,
            "poll": None,
        }
        return view | self.marks.get(post.key, {})


def to_html(text: str) -> str:
    """Return `text` as Mastodon writes it: paragraphs, and addresses of which the eye sees the middle."""
    shown = (
        '<a href="https://example.org/more" target="_blank" rel="nofollow noopener noreferrer" translate="no">'
        '<span class="invisible">https://</span><span class="ellipsis">example.org/</span><span class="invisible">more</span></a>'
    )
    return "<p>" + html.escape(text).replace("https://example.org/more", shown).replace("\n", "<br />") + "</p>"


def own_openers(person: Person) -> list[WorldPost]:
    """Return what a person's statuses should leave in the pool's reach, newest first."""
    return [post for post in person.visible() if is_own_opener(post)]


def refuse(status: int, error: str, headers: dict[str, str] | None = None) -> Reply:
    """Return an answer that gives nothing."""
    return Reply({"error": error}, status, headers or {})


def _link(request: Request, host: str, numbers: list[str], full: int) -> dict[str, str]:
    """Return the header that leads on from a page: to `next` if this one is full, to `prev` unless it is empty."""
    asked = {name: value for name, value in request.query.items() if name not in ("max_id", "since_id", "min_id")}
    size = min(full, int(request.query.get("limit", full // 2)))
    ends = [("next", {"max_id": numbers[-1]})] if len(numbers) == size else []
    ends += [("prev", {"min_id": numbers[0]})] if numbers else []
    links = [f'<https://{host}{request.path}?{urlencode(asked | end)}>; rel="{name}"' for name, end in ends]
    return {"Link": ", ".join(links)} if links else {}
