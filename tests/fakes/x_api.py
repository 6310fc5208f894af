"""The X API v2, as an app with a bearer token sees it."""

import html
import re
from typing import Any

from tests.fakes.server import FakeServer, Reply, Request
from tests.fakes.world import Person, World, WorldPost, is_own_opener

TOKEN = "AAAAAAAAAAAAAAAAAAAAAowlsAtNight%3DneverTellAnybody"
LIMIT = 900
PROBLEMS = "https://api.twitter.com/2/problems/"
# What stands in a text for every address.
SHORT_LINK = "https://t.co/0wLs4tN1gt"
_TIMELINE = re.compile(r"/2/users/(\d+)/(tweets|followers)")


class XFake(FakeServer):
    """The API over a world; `remaining` is what the rate limit of its endpoints has left.

    `deepest` posts of an account are looked at if replies are left out (3,200 else), whatever is left of them.
    """

    deepest = 800

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.remaining = LIMIT

    def answer(self, request: Request) -> Reply:
        """Answer by path, and count."""
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return refuse(401, "Unauthorized")
        self.remaining -= 1
        reply = self._answer(request)
        reply.headers |= self.limits(self.remaining, 900)
        return reply

    def limits(self, remaining: int, seconds: float) -> dict[str, str]:
        """Return the headers of the rate limit."""
        reset = str(int(self.now() + seconds))
        return {"x-rate-limit-limit": str(LIMIT), "x-rate-limit-remaining": str(remaining), "x-rate-limit-reset": reset}

    def too_many(self, seconds: float) -> Reply:
        """Return the answer to one request too many."""
        return refuse(429, "Too Many Requests", headers=self.limits(0, seconds))

    def _answer(self, request: Request) -> Reply:
        if request.path == "/2/users/by":
            names = request.query["usernames"].split(",")
            if len(names) > 100 or not all(re.fullmatch(r"[A-Za-z0-9_]{1,15}", name) for name in names):
                return invalid("usernames")
            return self._users(names, "usernames")
        if request.path == "/2/users":
            ids = request.query["ids"].split(",")
            return self._users(ids, "ids") if len(ids) <= 100 else invalid("ids")
        if request.path == "/2/tweets":
            ids = request.query["ids"].split(",")
            return self._posts(ids) if len(ids) <= 100 else invalid("ids")
        if found := _TIMELINE.fullmatch(request.path):
            person = self.world.find(int(found[1]))
            if wrong := what_is_wrong(person, found[1], "id"):
                return Reply({"errors": [wrong]})
            assert person is not None
            return self._timeline(person, request) if found[2] == "tweets" else self._followers(person, request)
        return Reply(b"", 404)

    def _users(self, names: list[str], parameter: str) -> Reply:
        people = {name: self._find(name, parameter) for name in names}
        problems = {name: what_is_wrong(person, name, parameter) for name, person in people.items()}
        open_to_see = {name: one for name, one in people.items() if one and (not problems[name] or one.state == "protected")}
        users = [
            {"id": str(one.key), "name": one.name, "username": one.handle, "protected": one.state == "protected"}
            for one in open_to_see.values()
        ]
        errors = [problem for name, problem in problems.items() if problem and name not in open_to_see]
        return Reply(({"data": users} if users else {}) | ({"errors": errors} if errors else {}))

    def _find(self, name: str, parameter: str) -> Person | None:
        return self.world.people.get(name.casefold()) if parameter == "usernames" else self.world.find(int(name))

    def _posts(self, ids: list[str]) -> Reply:
        there = {str(post.key): (one, post) for one in self.world.people.values() for post in one.visible()}
        found = {name: there[name] for name in ids if name in there}
        data = [self._post(*found[name]) for name in found if found[name][0].state == "open"]
        errors = [_problem("resource-not-found", "Not Found Error", f"Could not find tweet with ids: [{name}].", name, "ids", "tweet")
                  for name in ids if name not in found]  # fmt: skip
        errors += [
            _problem(
                "not-authorized-for-resource",
                "Authorization Error",
                f"Sorry, you are not authorized to see the Tweet with ids: [{name}].",
                name,
                "ids",
                "tweet",
            )
            for name, (person, _) in found.items()
            if person.state != "open"
        ]
        return Reply(({"data": data} if data else {}) | ({"errors": errors} if errors else {}))

    def _timeline(self, person: Person, request: Request) -> Reply:
        size, left_out = int(request.query.get("max_results", "10")), request.query.get("exclude", "").split(",")
        if not 5 <= size <= 100:
            return invalid("max_results")
        looked_at = person.visible()[: self.deepest if "replies" in left_out else 3_200]
        looked_at = [post for post in looked_at if post.key > int(request.query.get("since_id", "0"))]
        if token := request.query.get("pagination_token"):
            if not token.startswith("7140"):
                return invalid("pagination_token")
            looked_at = [post for post in looked_at if post.key < int(token.removeprefix("7140"))]
        # As the real one does it: the page is cut first, then thinned out.
        page = looked_at[:size]
        posts = [post for post in page if not (post.reply_to and "replies" in left_out) and not (post.repost and "retweets" in left_out)]
        meta: dict[str, Any] = {"result_count": len(posts)}
        if len(looked_at) > size:
            meta["next_token"] = f"7140{page[-1].key}"
        return Reply(({"data": [self._post(person, post) for post in posts]} if posts else {}) | {"meta": meta})

    def _followers(self, person: Person, request: Request) -> Reply:
        start, size = int(request.query.get("pagination_token", "0")), int(request.query.get("max_results", "100"))
        if size > 1000:
            return invalid("max_results")
        users = [{"id": str(key), "name": f"Number {key}", "username": f"u{key}"} for key in person.followers[start : start + size]]
        meta: dict[str, Any] = {"result_count": len(users)}
        if start + size < len(person.followers):
            meta["next_token"] = str(start + size)
        return Reply({"data": users, "meta": meta})

    def _post(self, person: Person, post: WorldPost) -> dict[str, Any]:
        text = html.escape(post.text.replace("https://example.org/more", SHORT_LINK), quote=False)
        view: dict[str, Any] = {
            "id": str(post.key),
            "edit_history_tweet_ids": [str(post.key)],
            "text": text,
            "created_at": post.at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "conversation_id": str(post.reply_to or post.key),
            "public_metrics": {"retweet_count": post.shares, "reply_count": 0, "like_count": post.likes, "quote_count": 0},
        }
        if len(text) > 280:
            view |= {"text": f"{text[:255]}\u2026 {SHORT_LINK}", "note_tweet": {"text": text}}
        if post.reply_to:
            view |= {"in_reply_to_user_id": str(person.key), "referenced_tweets": [{"type": "replied_to", "id": str(post.reply_to)}]}
        if post.repost:
            view |= {"text": f"RT @{next(iter(self.world.people))}: {text}", "referenced_tweets": [{"type": "retweeted", "id": "7"}]}
        return view


def own_openers(person: Person, deepest: int = XFake.deepest) -> list[WorldPost]:
    """Return what a person's timeline should leave in the pool's reach, newest first."""
    return [post for post in person.visible()[:deepest] if is_own_opener(post)]


def refuse(status: int, title: str, kind: str = "about:blank", headers: dict[str, str] | None = None) -> Reply:
    """Return an answer that gives nothing."""
    return Reply({"title": title, "detail": title, "type": kind, "status": status}, status, headers or {})


def invalid(parameter: str) -> Reply:
    """Return the answer to a request that can't be understood."""
    problem = {"parameters": {parameter: []}, "message": f"The `{parameter}` query parameter value is not valid"}
    body = {"errors": [problem], "title": "Invalid Request", "detail": "One or more parameters to your request was invalid."}
    return Reply(body | {"type": f"{PROBLEMS}invalid-request"}, 400)


def what_is_wrong(person: Person | None, name: str, parameter: str) -> dict[str, Any] | None:
    """Return the error that stands in the place of an account, beside a status of 200."""
    if person is None or person.state == "missing":
        return _problem(
            "resource-not-found", "Not Found Error", f"Could not find user with {parameter}: [{name}].", name, parameter, "user"
        )
    if person.state == "suspended":
        return _problem("resource-not-found", "Forbidden", f"User has been suspended: [{name}].", name, parameter, "user")
    if person.state == "protected":
        detail = f"Sorry, you are not authorized to see the user with {parameter}: [{name}]."
        return _problem("not-authorized-for-resource", "Authorization Error", detail, name, parameter, "user")
    return None


def _problem(kind: str, title: str, detail: str, name: str, parameter: str, resource: str) -> dict[str, Any]:
    return {
        "value": name,
        "detail": detail,
        "title": title,
        "resource_type": resource,
        "parameter": parameter,
        "resource_id": name,
        "type": f"{PROBLEMS}{kind}",
    }
