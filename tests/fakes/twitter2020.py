"""The twitter.com and mobile.twitter.com of the summer of 2020: the pages that twint reads, for somebody who has not logged in."""

import html
import json
import re
import ssl
from urllib.parse import quote

import trustme

from tests.fakes.server import FakeServer, Reply, Request
from tests.fakes.world import Person, World, WorldPost

HOSTS = ("twitter.com", "mobile.twitter.com")
PAGE_SIZE = 20
LOGIN_FORM = '<form action="https://twitter.com/sessions" method="post"><input type="text" name="session[username_or_email]"></form>'
_EMOJI = re.compile("[\U0001f300-\U0001faff](?:\u200d[\U0001f300-\U0001faff])*")


class TwitterFake(FakeServer):
    """Both hosts over a world. Its certificate is signed by `authority`, which nobody else knows.

    `overlap` posts of a page come again on the next one.
    """

    def __init__(self, world: World, authority: trustme.CA) -> None:
        super().__init__()
        self.world = world
        self.overlap = 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*HOSTS).configure_cert(context)
        # The handshake waits for the first read, in the thread of the connection.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    def answer(self, request: Request) -> Reply:
        """Answer as the host would that was asked."""
        if request.headers["Host"] == "mobile.twitter.com":
            return self._followers(request)
        if request.path == "/i/search/timeline":
            return self._search(request)
        if request.path == "/intent/user":
            person = self.world.find(int(request.query["user_id"]))
            return _page(f'<a class="fn url alternate-context" href="/{person.handle}">{person.name}</a>') if person else not_found()
        return self._profile(request)

    def _profile(self, request: Request) -> Reply:
        person = self.world.people.get(request.path.strip("/").casefold())
        if person is None or person.state == "missing":
            return not_found()
        if person.state == "suspended":
            return redirect("https://twitter.com/account/suspended")
        lock, flag = (" protected", "true") if person.state == "protected" else ("", "false")
        return _page(
            f'<ul class="ProfileNav-list">{_nav("tweets is-active", len(person.posts))}{_nav("followers", len(person.followers))}</ul>'
            f'<div class="user-actions btn-group not-following{lock} " data-user-id="{person.key}" data-protected="{flag}"'
            f' data-screen-name="{person.handle}" data-name="{html.escape(person.name)}"></div>'
        )

    def _search(self, request: Request) -> Reply:
        handle = request.query["q"].strip().removeprefix("from:")
        person = self.world.people.get(handle.casefold())
        posts = person.visible() if person and person.state == "open" else []
        position = request.query["max_position"]
        if position != "-1":
            last = int(position.split("-")[1])
            older = sum(post.key >= last for post in posts)
            posts = posts[older - self.overlap :] if older < len(posts) else []
        return self.timeline(person, posts[:PAGE_SIZE]) if person else timeline("")

    def timeline(self, person: Person, posts: list[WorldPost]) -> Reply:
        """Return the page of those posts."""
        items = "".join(self._stream_item(person, post) for post in posts)
        return timeline(items, f"TWEET-{posts[-1].key}-{posts[0].key}" if posts else "", has_more=bool(posts))

    def _stream_item(self, person: Person, post: WorldPost) -> str:
        author = next(iter(self.world.people.values())) if post.repost else person
        own_id = repeated_id(post) if post.repost else post.key
        context = f'<span class="js-retweet-text"><a href="/{person.handle}" data-user-id="{person.key}">{person.name}</a> Retweeted</span>'
        milliseconds = int(post.at.timestamp() * 1000)
        reply_to = json.dumps([{"id_str": str(author.key), "screen_name": author.handle, "name": author.name}])
        attributes = {
            "item-id": own_id,
            "conversation-id": post.reply_to or own_id,
            "screen-name": author.handle,
            "name": author.name,
            "user-id": author.key,
            "reply-to-users-json": reply_to,
        } | ({"retweet-id": post.key} if post.repost else {})
        data = " ".join(f'data-{name}="{html.escape(str(value))}"' for name, value in attributes.items())
        counts = "".join(
            f'<span class="ProfileTweet-action--{name} u-hiddenVisually"><span data-tweet-stat-count="{count}"></span></span>'
            for name, count in (("reply", 0), ("retweet", post.shares), ("favorite", post.likes))
        )
        return (
            f'<li class="js-stream-item stream-item" data-item-id="{own_id}"><div class="tweet js-stream-tweet" {data}>'
            f'<div class="context">{context if post.repost else ""}</div>'
            f'<a class="tweet-timestamp js-permalink" href="/{author.handle}/status/{own_id}">'
            f'<span class="_timestamp js-short-timestamp" data-time-ms="{milliseconds}"></span></a>'
            f'<p class="TweetTextSize js-tweet-text tweet-text" lang="en">{_rich(post.text)}</p>'
            f'<div class="ProfileTweet-actionCountList">{counts}</div></div></li>\n'
        )

    def _followers(self, request: Request) -> Reply:
        person = self.world.people.get(request.path.split("/")[1].casefold())
        if person is None or person.state == "missing":
            return not_found()
        start = int(request.query.get("cursor", "0"))
        keys = person.followers[start : start + PAGE_SIZE] if person.state == "open" else []
        rows = "".join(
            f'<table><tr><td class="info fifty screenname"><a name="{name}" href="/{name}?p=s">@{name}</a></td></tr></table>'
            for name in map(follower_handle, keys)
        )
        more = f'<div class="w-button-more"><a href="/{person.handle}/followers?cursor={start + PAGE_SIZE}">Show more people</a></div>'
        return _page(rows + (more if start + PAGE_SIZE < len(person.followers) and keys else ""))


def repeated_id(post: WorldPost) -> int:
    """Return the id of the tweet that a retweet repeats."""
    return post.key + 50_000


def follower_handle(key: int) -> str:
    """Return the handle of a follower; that of every seventh is all digits."""
    return str(key) if key % 7 == 0 else f"h{key}"


def timeline(items: str, position: str = "", *, has_more: bool = False) -> Reply:
    """Return a page of the search."""
    return Reply({"min_position": position, "has_more_items": has_more, "items_html": items or "\n \n", "new_latent_count": 0})


def redirect(target: str) -> Reply:
    """Return the answer that sends somebody elsewhere."""
    return Reply(b"<html></html>", 302, {"Location": target, "Content-Type": "text/html;charset=utf-8"})


def login_wall(request: Request) -> Reply:
    """Return the answer to those whom the site does not let read."""
    return redirect(f"https://twitter.com/login?redirect_after_login={quote(request.path)}")


def login_page() -> Reply:
    """Return the page of the login, as it came in the place of others."""
    return _page(LOGIN_FORM)


def not_found() -> Reply:
    """Return the page of accounts that are none."""
    return _page('<h1 class="errorpage-header">Sorry, that page does not exist!</h1>', 404)


def _page(body: str, status: int = 200) -> Reply:
    text = f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"></head><body>{body}</body></html>\n'
    return Reply(text.encode(), status, {"Content-Type": "text/html;charset=utf-8"})


def _nav(name: str, count: int) -> str:
    return f'<li class="ProfileNav-item ProfileNav-item--{name}"><span class="ProfileNav-value" data-count={count}>{count}</span></li>'


def _rich(text: str) -> str:
    """Write text as the site did: addresses in pieces, emoji as pictures."""
    link = (
        r'<a href="https://t.co/x" class="twitter-timeline-link" data-expanded-url="https://\1">'
        r'<span class="invisible">https://</span><span class="js-display-url">\1</span></a>'
    )
    return _EMOJI.sub(r'<img class="Emoji Emoji--forText" alt="\g<0>">', re.sub(r"https://(\S+)", link, html.escape(text)))
