"""What somebody means who asks that a tweet be taken down: its number, an author, or an address where it can be seen."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from django.db.models import Q

from game.moderation.models import Takedown
from game.moderation.tokens import BadToken, tweet_id_of
from game.play.models import Card
from game.play.rules import TOKEN_PATTERN
from game.pool.models import Author, Kind, Tweet
from generation.duel.models import Completion
from scraping.models import RawPost
from scraping.optouts import OptOutError, check_account, tidy_handle
from scraping.rules import PLATFORMS

LONGEST = Takedown._meta.get_field("target").max_length or 0
_NUMBER = re.compile(r"(?:tweet\s*)?#?([0-9]{1,18})", re.IGNORECASE)
_ACCOUNT = re.compile(r"([A-Za-z]+):(?!//)@?(\S+)")
_AT = re.compile(r"@([^\s/:]+)")
_BARE = re.compile(r"[^\s/:@]+")
# On x.com, twitter.com, mobile.twitter.com, and whatever shows tweets under the same paths.
_STATUS = re.compile(r"/(?:i/web|i|@?\w+)/status(?:es)?/([0-9]{1,20})(?:/.*)?")
_BLUESKY = re.compile(r"/profile/([^/]+)/post/([^/]+)/?")
_MASTODON = re.compile(r"/(?:@[^/]+|users/[^/]+/statuses|web/statuses|deck/@[^/]+)/([0-9]{1,20})/?")
_OURS_TWEET = re.compile(r"/moderate/tweet/(\w+)/?")
_OURS_COMPLETION = re.compile(rf"/duel/completion/({TOKEN_PATTERN})/(?:\w+/)?")
_OURS_CARD = re.compile(rf"/(?:guess|report)/({TOKEN_PATTERN})/?")
_OURS_MANY = re.compile(rf"/(?:round|duel)/{TOKEN_PATTERN}/?")


class BadTarget(ValueError):
    """What was typed names nothing that can be taken down; its message is one line for whoever typed it."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be taken down, under the one name that it has however it was asked for.

    `tweets` are those that were meant, erased ones too; of an author all. `posts` is the condition on the raw posts of a link.
    """

    kind: str
    name: str
    tweets: tuple[int, ...] = ()
    platform: str = ""
    handle: str = ""
    posts: Q | None = None
    completion: int | None = None


def find_target(text: str) -> Target:
    """Return what is meant by a tweet's number, `platform:handle`, a handle that we have, or an address; raises BadTarget."""
    text = text.strip()
    if not text:
        raise BadTarget("Say what: the number of a tweet, an author as in twitter:ada_owl, or an address.")
    if len(text) > LONGEST or "\x00" in text:
        raise BadTarget(f"That is longer than {LONGEST} characters, or no text.")
    if found := _NUMBER.fullmatch(text):
        return find_tweet(int(found[1]))
    if "://" in text:
        return find_link(text)
    if found := _ACCOUNT.fullmatch(text):
        return find_author(found[1], found[2])
    if found := _AT.fullmatch(text):
        return _find_handle(found[1])
    try:
        return find_tweet(tweet_id_of(text))
    except BadToken:
        if _BARE.fullmatch(text) and Author.objects.filter(kind=Kind.HUMAN, handle__iexact=tidy_handle(text)).exists():
            return _find_handle(text)
        raise BadTarget(f"“{text[:60]}” is no number of a tweet, no author as in twitter:ada_owl and no address.") from None


def find_tweet(pk: int) -> Target:
    """Return the tweet of that number; raises BadTarget."""
    if not Tweet.objects.filter(pk=pk).exists():
        raise BadTarget(f"There is no tweet {pk}.")
    return Target(Takedown.Kind.TWEET, f"tweet {pk}", (pk,))


def find_author(platform: str, handle: str) -> Target:
    """Return an account, whether we have anything of it or not: it is kept out; raises BadTarget."""
    platform = PLATFORMS.get(platform.lower(), platform.lower())
    if platform == "model":
        raise BadTarget(f"{handle[:60]} is a model: retire it on the training page, and withdraw what it wrote by a search.")
    try:
        handle = check_account(platform, handle)
    except OptOutError as error:
        raise BadTarget(str(error)) from error
    return Target(Takedown.Kind.AUTHOR, f"{platform}:{handle}", platform=platform, handle=handle)


def _find_handle(handle: str) -> Target:
    authors = Author.objects.filter(kind=Kind.HUMAN, handle__iexact=tidy_handle(handle))
    platforms = sorted(set(authors.values_list("platform", flat=True)))
    if not platforms:
        raise BadTarget(f"We have nothing by @{handle[:60]}; to keep somebody out, name the platform too, as in twitter:{handle[:60]}.")
    if len(platforms) > 1:
        raise BadTarget(f"@{handle} is on {' and '.join(platforms)}: say which, as in {platforms[0]}:{handle}.")
    return find_author(platforms[0], handle)


def find_link(text: str) -> Target:
    """Return what can be seen at an address, of a platform's or of our own; raises BadTarget."""
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https") or "\x00" in unquote(text):
        raise BadTarget(f"“{text[:60]}” is no address of a web page.")
    return _find_ours(parts.path, parse_qs(parts.query)) or _find_theirs(text, host, unquote(parts.path))


def _find_ours(path: str, query: dict[str, list[str]]) -> Target | None:
    """Return what a page of the game shows; None where the path is not one of ours."""
    if found := _OURS_TWEET.fullmatch(path):
        return find_target(found[1])
    if found := _OURS_COMPLETION.fullmatch(path):
        return _find_completion(found[1])
    if _OURS_MANY.fullmatch(path):
        raise BadTarget("That page shows many texts: name one, by the address of its card or completion, or by its number.")
    card = _OURS_CARD.fullmatch(path)
    token = card[1] if card else query.get("card", [""])[0] if path.startswith("/play/") else ""
    if not token:
        return None
    tweet = Card.objects.filter(token=token).values_list("tweet", flat=True).first()
    if tweet is not None:
        return Target(Takedown.Kind.LINK, f"card {token}, tweet {tweet}", (tweet,))
    # A card that waited for a guess got another tweet, and so another address.
    named = Q(target=f"card {token}") | Q(target__startswith=f"card {token}, ")
    taken = Takedown.objects.filter(named, kind=Takedown.Kind.LINK).order_by("pk").first()
    if taken is None:
        raise BadTarget("No card has that address, or it shows another tweet by now: name the tweet by its number.")
    return Target(Takedown.Kind.LINK, taken.target)


def _find_completion(token: str) -> Target:
    found = Completion.objects.filter(token=token).first()
    if found is None:
        raise BadTarget("There is no completion at that address.")
    return Target(Takedown.Kind.LINK, f"completion {token}", (found.tweet_id,) if found.tweet_id else (), completion=found.pk)


def _find_theirs(text: str, host: str, path: str) -> Target:
    if found := _STATUS.fullmatch(path):
        return _find_post("twitter", f"https://x.com/i/status/{found[1]}", Q(source_id=found[1]), Q(facts__source_id=found[1]))
    if found := _BLUESKY.fullmatch(path):
        who, key = found.groups()
        # An account's own id in the address is one that its posts begin with, a handle is looked up.
        end = f"/app.bsky.feed.post/{key}"
        mine = Q(feed__account_id=who) if who.startswith("did:") else Q(feed__handle=who.casefold())
        ours = Q(facts__source_id=f"at://{who}{end}") | Q(facts__source_id__endswith=end, author__handle__iexact=who)
        return _find_post("bluesky", f"https://bsky.app/profile/{who}/post/{key}", mine & Q(source_id__endswith=end), ours)
    name = f"https://{host}{path.rstrip('/')}"[:LONGEST]
    by_link = Q(facts__link=text) | Q(facts__link__in=[f"{scheme}://{host}{path}" for scheme in ("https", "http")])
    if found := _MASTODON.fullmatch(path):
        source_id = f"{host}/{found[1]}"
        return _find_post("mastodon", name, Q(source_id=source_id), Q(facts__source_id=source_id) | by_link)
    return _find_post("", name, None, by_link)


def _find_post(platform: str, name: str, posts: Q | None, ours: Q) -> Target:
    """Return the tweets of one post, in whatever category, with its raw posts; raises BadTarget where there is neither."""
    if platform:
        ours &= Q(author__platform=platform)
    if posts is not None:
        posts &= Q(feed__source__in=[source for source, its in PLATFORMS.items() if its == platform])
    tweets = set(Tweet.objects.filter(ours).values_list("pk", flat=True))
    raw = RawPost.objects.filter(posts) if posts is not None else RawPost.objects.none()
    # Which is no more than a repetition of another post's words says nothing of that one.
    tweets |= set(raw.filter(outcome__in=[RawPost.KEPT, RawPost.GONE]).exclude(tweet=None).values_list("tweet", flat=True))
    known = raw.exists() or Takedown.objects.filter(kind=Takedown.Kind.LINK, target=name).exists()
    if not tweets and not known:
        raise BadTarget(f"Nothing here is from {name[:200]}.")
    return Target(Takedown.Kind.LINK, name, tuple(sorted(tweets)), posts=posts)
