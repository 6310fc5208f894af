"""A Bluesky AppView: the XRPC queries that need no account."""

from datetime import UTC, datetime
from typing import Any

from tests.fakes.server import FakeServer, Reply, Request
from tests.fakes.world import Person, World, WorldPost, is_own_opener

LIMIT = 3000


def did(person: Person) -> str:
    """Return a person's id, which stays when the handle changes."""
    return f"did:plc:{person.key:0>24}"


def uri(person: Person, post: WorldPost) -> str:
    """Return the at-uri of a post."""
    return f"at://{did(person)}/app.bsky.feed.post/{post.key}"


class BlueskyFake(FakeServer):
    """An AppView over a world; `remaining` is what its rate limit has left."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.remaining = LIMIT

    def answer(self, request: Request) -> Reply:
        """Answer a query by its name."""
        self.remaining -= 1
        reply = self._queries[request.path.removeprefix("/xrpc/")](self, request)
        reply.headers |= self.limits(self.remaining, 300)
        return reply

    def limits(self, remaining: int, seconds: float) -> dict[str, str]:
        """Return the headers of the rate limit."""
        reset = str(int(self.now() + seconds))
        return {
            "RateLimit-Limit": str(LIMIT),
            "RateLimit-Remaining": str(remaining),
            "RateLimit-Reset": reset,
            "RateLimit-Policy": "3000;w=300",
        }

    def too_many(self, seconds: float) -> Reply:
        """Return the answer to one request too many."""
        return Reply({"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}, 429, self.limits(0, seconds))

    def _find(self, name: str) -> Person | None:
        return next((one for one in self.world.people.values() if name in (did(one), one.handle)), None)

    def _profile(self, person: Person) -> dict[str, Any]:
        profile: dict[str, Any] = {"did": did(person), "handle": person.handle, "displayName": person.name, "postsCount": len(person.posts)}
        if person.state == "declined":
            profile["labels"] = [{"src": did(person), "val": "!no-unauthenticated", "cts": "2026-01-01T00:00:00Z"}]
        return profile

    def _get_profiles(self, request: Request) -> Reply:
        people = [self._find(name) for name in request.all["actors"]]
        if len(people) > 25:
            return _refuse("InvalidRequest", "actors must not have more than 25 elements")
        return Reply({"profiles": [self._profile(one) for one in people if one and one.state in ("open", "declined")]})

    def _get_profile(self, request: Request) -> Reply:
        person = self._find(request.query["actor"])
        return _what_is_wrong(person) or Reply(self._profile(person))  # type: ignore[arg-type]

    def _get_author_feed(self, request: Request) -> Reply:
        person = self._find(request.query["actor"])
        if wrong := _what_is_wrong(person):
            return wrong
        assert person is not None
        posts = [post for post in person.visible() if post.reply_to is None]
        return self._page("feed", [self._item(person, post) for post in posts], request)

    def _item(self, person: Person, post: WorldPost) -> dict[str, Any]:
        author = person if not post.repost else next(iter(self.world.people.values()))
        view: dict[str, Any] = {
            "uri": uri(person, post),
            "cid": f"bafy{post.key}",
            "author": {"did": did(author), "handle": author.handle},
            "record": {"$type": "app.bsky.feed.post", "text": post.text, "createdAt": _stamp(post.at), "langs": ["en"]},
            "likeCount": post.likes,
            "repostCount": post.shares,
            "indexedAt": _stamp(post.at),
        }
        if "https://" in post.text:  # as its own app writes it: the address in a facet, its beginning in the text
            start = len(post.text[: post.text.index("https://")].encode())
            view["record"]["text"] = post.text.replace("https://example.org/more", "example.org...")
            link = {"$type": "app.bsky.richtext.facet#link", "uri": "https://example.org/more"}
            view["record"]["facets"] = [{"index": {"byteStart": start, "byteEnd": start + len("example.org...")}, "features": [link]}]
        if post.repost:
            return {
                "post": view,
                "reason": {"$type": "app.bsky.feed.defs#reasonRepost", "by": {"did": did(person)}, "indexedAt": _stamp(post.at)},
            }
        return {"post": view}

    def _page(self, name: str, items: list[Any], request: Request) -> Reply:
        start, size = int(request.query.get("cursor", "0")), int(request.query.get("limit", "50"))
        if size > 100:
            return _refuse("InvalidRequest", "limit must not be greater than 100")
        body: dict[str, Any] = {name: items[start : start + size]}
        return Reply(body | ({"cursor": str(start + size)} if start + size < len(items) else {}))

    def _get_followers(self, request: Request) -> Reply:
        person = self._find(request.query["actor"])
        if wrong := _what_is_wrong(person):
            return wrong
        assert person is not None
        followers = [{"did": f"did:plc:{key:0>24}", "handle": f"h{key}.test"} for key in person.followers]
        return self._page("followers", followers, request)

    def _get_posts(self, request: Request) -> Reply:
        if len(request.all["uris"]) > 25:
            return _refuse("InvalidRequest", "uris must not have more than 25 elements")
        wanted = set(request.all["uris"])
        people = [one for one in self.world.people.values() if one.state in ("open", "declined")]
        return Reply({"posts": [self._item(one, post)["post"] for one in people for post in one.visible() if uri(one, post) in wanted]})

    _queries = {
        "app.bsky.actor.getProfiles": _get_profiles,
        "app.bsky.actor.getProfile": _get_profile,
        "app.bsky.feed.getAuthorFeed": _get_author_feed,
        "app.bsky.graph.getFollowers": _get_followers,
        "app.bsky.feed.getPosts": _get_posts,
    }


def own_openers(person: Person) -> list[WorldPost]:
    """Return what a person's feed should leave in the pool's reach: own words that answer nobody, newest first."""
    return [post for post in person.visible() if is_own_opener(post)]


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _refuse(error: str, message: str, status: int = 400) -> Reply:
    return Reply({"error": error, "message": message}, status)


def _what_is_wrong(person: Person | None) -> Reply | None:
    if person is None or person.state == "missing":
        return _refuse("InvalidRequest", "Profile not found")
    if person.state == "suspended":
        return _refuse("AccountTakedown", "Account has been suspended")
    return None
