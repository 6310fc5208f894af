"""Taking tweets out of everything, because somebody asked: what that would do, doing it at once, and a receipt."""

import random
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Q

from game.moderation.models import Lease, Takedown, TweetReport
from game.moderation.targets import Target
from game.play.services import count_open_cards, lock_open_cards, replace_open_cards
from game.pool.models import Author, BannedText, Kind, ModerationEvent, Tweet, TweetFlag
from game.pool.services import ban_texts, erase_tweets, find_copies, lock_bans
from generation.duel.models import Completion
from generation.duel.services import hide_completion
from generation.versions import models_that_learned
from scraping.models import OptOut, RawPost
from scraping.optouts import erase_account, find_authors, forget_posts, keep_out

# Of the lock by which takedowns come one after the other, as their numbers do: "take" in ASCII.
_LOCK = 0x74616B65
SAMPLES = 5
# With the number of the receipt it is the reason in the log, of 200.
LONGEST_REASON = 150
# Whoever can predict the coin can predict the card.
_rng = random.SystemRandom()


class Refused(Exception):
    """A takedown that was not done; its message is one line for whoever asked."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a takedown would do. `done` says in one line that it was done before, and `receipt` is that one's, if it has one."""

    target: Target
    tweets: int
    people: int
    categories: dict[str, int]
    cards: int
    completions: int
    models: list[str]
    samples: list[str]
    done: str = ""
    receipt: Takedown | None = None


def preview(target: Target) -> Preview:
    """Say what taking this down would do."""
    tweets = _tweets_of(target)
    left = [tweet for tweet in tweets if tweet.text]
    ids = [tweet.pk for tweet in left]
    done, receipt = ("", None) if _is_something_left(target, left) else _say_done(target, tweets)
    return Preview(
        target=target,
        tweets=len(left),
        people=len({tweet.author_id for tweet in left if tweet.kind == Kind.HUMAN}),
        categories=_count(left),
        cards=count_open_cards(tweets=ids),
        completions=len(_completions_of(target, ids)),
        models=_models(left),
        samples=[tweet.text for tweet in left[:SAMPLES]],
        done=done,
        receipt=receipt,
    )


def _tweets_of(target: Target) -> list[Tweet]:
    """Return all tweets that go: of an author theirs, else those that were meant and all with the same words."""
    tweets = Tweet.objects.select_related("category").order_by("pk")
    if target.kind == Takedown.Kind.AUTHOR:
        return list(tweets.filter(author__in=find_authors(platform=target.platform, handle=target.handle)))
    meant = list(tweets.filter(pk__in=target.tweets))
    return list(tweets.filter(find_copies(tweets=meant))) if meant else []


def _is_something_left(target: Target, left: Collection[Tweet]) -> bool:
    posts = RawPost.objects.none() if target.posts is None else RawPost.objects.filter(target.posts, record__isnull=False)
    return bool(left or _completions_of(target, [])) or posts.exists()


def _completions_of(target: Target, tweets: Collection[int]) -> list[str]:
    """Return the tokens of the duel's texts that are to be hidden: the one that was meant, and those that these tweets came from."""
    shown = Completion.objects.filter(Q(pk=target.completion) | Q(tweet__in=tweets), hidden=False)
    return list(shown.order_by("pk").values_list("token", flat=True))


def _count(tweets: Iterable[Tweet]) -> dict[str, int]:
    return dict(sorted(Counter(tweet.category.slug for tweet in tweets).items()))


def _models(tweets: Iterable[Tweet]) -> list[str]:
    # No model learns from what models wrote.
    marks = [bytes(tweet.fingerprint) for tweet in tweets if tweet.kind == Kind.HUMAN]
    return [str(model) for model in models_that_learned(fingerprints=marks)]


def _say_done(target: Target, tweets: Collection[Tweet]) -> tuple[str, Takedown | None]:
    """Say that nothing is left to do, and by which receipt; an empty line where there is something, if only to keep somebody out."""
    first = Takedown.objects.filter(kind=target.kind, target=target.name).order_by("pk").first()
    if target.kind == Takedown.Kind.AUTHOR:
        out = OptOut.objects.filter(platform=target.platform, handle=target.handle).first()
        if out is None:
            return "", None
        return (_by(first), first) if first else (f"They opted out on {out.at:%-d %B %Y}, and nothing of theirs is left.", None)
    if first is None:
        notes = BannedText.objects.filter(fingerprint__in=[bytes(tweet.fingerprint) for tweet in tweets]).values("note")
        first = Takedown.objects.filter(number__in=notes).order_by("pk").first()
    if first:
        return _by(first), first
    event = ModerationEvent.objects.filter(tweet__in=[tweet.pk for tweet in tweets]).first()
    why = f": {event.reason}, on {event.at:%-d %B %Y}" if event else ""
    return f"Its words are gone already{why}.", None


def _by(takedown: Takedown) -> str:
    return f"That was done already: receipt {takedown.number} of {takedown.at:%-d %B %Y}."


def take_down(*, target: Target, by: User | None, reason: str, now: datetime) -> Takedown:
    """Erase what `target` names, put other tweets on the cards that show it, and return the receipt; raises Refused.

    All of it is one transaction, but for one step before: of an author nothing more is stored from then on. Should the rest
    fail, doing it again completes it.
    """
    reason = " ".join(reason.split())[:LONGEST_REASON]
    if not reason:
        raise Refused("Say why: it stands on the receipt.")
    if done := preview(target).done:
        raise Refused(done)
    account_id = ""
    if target.kind == Takedown.Kind.AUTHOR:
        account_id = keep_out(platform=target.platform, handle=target.handle, by=by, reason=reason)
    with transaction.atomic():
        return _take_down(target, account_id, by, reason, now)


def _take_down(target: Target, account_id: str, by: User | None, reason: str, now: datetime) -> Takedown:
    number = _next_number(now)
    # In the order in which those lock who store posts (feeds come after), and those who guess: nobody waits for us while we wait for them.
    lock_bans()
    tweets = _tweets_of(target)
    left = [tweet for tweet in tweets if tweet.text]
    ids = [tweet.pk for tweet in left]
    completions = _completions_of(target, ids)
    # Somebody else may have done it while we waited.
    if target.kind != Takedown.Kind.AUTHOR and not _is_something_left(target, left):
        raise Refused(_say_done(target, tweets)[0] or "Nothing of it is left.")
    models = _models(left)
    lock_open_cards(tweets=ids)
    why = f"{number}: {reason}"
    if target.kind == Takedown.Kind.AUTHOR:
        erase_account(platform=target.platform, handle=target.handle, account_id=account_id, by=by, reason=why)
    erase_tweets(tweets=Q(pk__in=ids), by=by, reason=why)
    ban_texts(tweets=left, note=number)
    posts = RawPost.objects.filter(tweet__in=ids)
    forget_posts(posts | RawPost.objects.filter(target.posts) if target.posts is not None else posts)
    _forget(ids)
    for token in completions:
        hide_completion(token=token, by=by)
    return Takedown.objects.create(
        number=number,
        kind=target.kind,
        target=target.name,
        author=Author.objects.filter(platform=target.platform, handle=target.handle).first() if target.handle else None,
        by=by,
        reason=reason,
        tweets=len(ids),
        completions=len(completions),
        categories=_count(left),
        cards=replace_open_cards(tweets=ids, now=now, rng=_rng),
        stale=models,
    )


def _next_number(now: datetime) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    begin = f"BB-{now:%Y}-"
    last = Takedown.objects.filter(number__startswith=begin).order_by("-pk").values_list("number", flat=True).first()
    return f"{begin}{int(last.removeprefix(begin)) + 1 if last else 1:06}"


def _forget(ids: Collection[int]) -> None:
    """Drop what moderators and players had to do with tweets that are gone."""
    Lease.objects.filter(tweet__in=ids).delete()
    # Those of the tweets themselves went with their words.
    TweetFlag.objects.filter(other__in=ids).delete()
    TweetReport.objects.filter(tweet__in=ids).update(settled=True)


def receipt_lines(takedown: Takedown) -> list[tuple[str, str]]:
    """Return what a receipt says, a name and a value each: on its page, and on the command line."""
    where = ", ".join(f"{count} in {slug}" for slug, count in takedown.categories.items())
    lines = [
        ("Receipt", takedown.number),
        ("When", f"{takedown.at:%-d %B %Y, %H:%M} UTC"),
        ("What", takedown.target),
        ("Why", takedown.reason),
        ("By", takedown.by.get_username() if takedown.by else "a command"),
        ("Tweets erased", f"{takedown.tweets} ({where})" if where else str(takedown.tweets)),
        ("Open cards replaced", str(takedown.cards)),
        ("Completions hidden", str(takedown.completions)),
        ("Models that learned from it", ", ".join(takedown.stale) or "none"),
    ]
    if takedown.kind == Takedown.Kind.AUTHOR:
        lines.append(("From now on", "nothing of this account is scraped or imported"))
    return lines
