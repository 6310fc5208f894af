"""People who do not want to be in the game: erased at once, and never scraped or imported again."""

import logging
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Case, F, Q, QuerySet, When

from game.pool.models import Author, Kind, Tweet
from game.pool.services import erase_tweets
from scraping.models import Feed, OptOut, RawPost
from scraping.rules import PLATFORMS

log = logging.getLogger(__name__)

# Of the lock that keeps new opt-outs and the storing of posts apart: "opt" in ASCII.
_LOCK = 0x6F7074


class OptOutError(Exception):
    """What was asked can't be done; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class OptOuts:
    """Whose posts must not be stored: pairs of platform and handle, and of platform and account id."""

    handles: frozenset[tuple[str, str]] = frozenset()
    accounts: frozenset[tuple[str, str]] = frozenset()

    def holds(self, platform: str, handle: str, account_id: str = "") -> bool:
        """Say whether this account opted out, under this handle or an earlier one."""
        return (platform, tidy_handle(handle)) in self.handles or (platform, account_id) in self.accounts


def tidy_handle(handle: str) -> str:
    """Return a handle as the tables hold it: in small letters, without the @ before it."""
    return handle.strip().lstrip("@").casefold()


def read_opt_outs() -> OptOuts:
    """Return all opt-outs.

    Called in the transaction that stores posts, before they are stored, it makes a new opt-out wait for the
    end of that transaction, so that it finds and erases what was stored; else some would slip through between the two.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_LOCK])
    rows = list(OptOut.objects.values_list("platform", "handle", "account_id"))
    return OptOuts(
        handles=frozenset((platform, handle) for platform, handle, _ in rows),
        accounts=frozenset((platform, account_id) for platform, _, account_id in rows if account_id),
    )


def opt_out(*, platform: str, handle: str, by: User | None, reason: str = "", account_id: str = "") -> int:
    """Take an account out of the game for good, in every category; return how many tweets were erased.

    What it was called before, as far as we know, is out as well. Doing it again completes what was interrupted.
    Raises OptOutError.
    """
    # Two transactions: once the first is over nothing more of theirs is stored, and the second waits for no lock
    # that a page of theirs on its way into the tables might hold.
    account_id = keep_out(platform=platform, handle=handle, by=by, reason=reason, account_id=account_id)
    reason = f"opted out: {reason}" if reason else "opted out"
    return erase_account(platform=platform, handle=handle, account_id=account_id, by=by, reason=reason)


def check_account(platform: str, handle: str) -> str:
    """Return the handle as the tables hold it; raises OptOutError for what can't be an account."""
    handle = tidy_handle(handle)
    if platform not in PLATFORMS.values():
        raise OptOutError(f"{platform[:40]!r} is no platform: use {', '.join(sorted(set(PLATFORMS.values())))}.")
    longest = OptOut._meta.get_field("handle").max_length or 0
    if not handle or len(handle) > longest or any(sign.isspace() for sign in handle):
        raise OptOutError(f"{handle[:40]!r} can't be a handle.")
    return handle


def keep_out(*, platform: str, handle: str, by: User | None, reason: str = "", account_id: str = "") -> str:
    """Have nothing more of an account stored, under any name that we know of it; return its id, if we know that. Raises OptOutError."""
    handle = check_account(platform, handle)
    account_id = account_id or _account_of(platform, handle)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        for name in sorted({handle} | _names_of(platform, account_id)):
            entry, new = OptOut.objects.get_or_create(
                platform=platform, handle=name, defaults={"account_id": account_id, "reason": reason[:200], "by": by}
            )
            if not new and account_id and not entry.account_id:
                OptOut.objects.filter(pk=entry.pk).update(account_id=account_id)
    return account_id


def lift_opt_out(*, platform: str, handle: str, by: User | None) -> bool:
    """Let an account be scraped and imported again, under all its names; say whether it had opted out.

    What was erased stays so, and its feeds stay off their lists until somebody puts them back.
    """
    handle = tidy_handle(handle)
    with transaction.atomic():
        entries = OptOut.objects.filter(platform=platform)
        ids = entries.filter(handle=handle).exclude(account_id="").values_list("account_id", flat=True)
        lifted, _ = entries.filter(Q(handle=handle) | Q(account_id__in=list(ids))).delete()
    if lifted:
        log.info("The opt-out of %s on %s was lifted by %s.", handle, platform, by.get_username() if by else "a command")
    return bool(lifted)


def find_authors(*, platform: str, handle: str, account_id: str = "") -> list[int]:
    """Return the ids of the authors that are this account, under this handle or an earlier one."""
    handle = tidy_handle(handle)
    account_id = account_id or _account_of(platform, handle)
    posts = RawPost.objects.filter(feed__in=_feeds(platform, handle, account_id), outcome=RawPost.KEPT)
    names = {handle} | _names_of(platform, account_id)
    known = Q(platform=platform, handle__in=names) | Q(pk__in=posts.values("tweet__author"))
    return list(Author.objects.filter(known, kind=Kind.HUMAN).values_list("pk", flat=True))


@transaction.atomic
def erase_account(*, platform: str, handle: str, account_id: str, by: User | None, reason: str) -> int:
    """Erase all that is here of an account that is kept out, and return how many tweets that were."""
    handle = tidy_handle(handle)
    feeds = list(_feeds(platform, handle, account_id).select_for_update().order_by("pk"))
    Feed.objects.filter(pk__in=[feed.pk for feed in feeds]).update(
        listed=False, state=Feed.State.DECLINED, passing=False, cursor="", name="", note="Opted out."
    )
    posts = RawPost.objects.filter(feed__in=feeds)
    ids = find_authors(platform=platform, handle=handle, account_id=account_id)
    erased = erase_tweets(tweets=Q(author__in=ids), by=by, reason=reason[:200])
    forget_posts(posts | RawPost.objects.filter(tweet__in=Tweet.objects.filter(author__in=ids)))
    Author.objects.filter(pk__in=ids).update(name="")
    return erased


def forget_posts(posts: QuerySet[RawPost]) -> int:
    """Drop what raw posts said, and keep that they were: so that they are not fetched, or cleaned, into the pool again.

    One that repeated another post forgets that too: from now on `tweet` is only what it became itself.
    """
    own = Case(When(outcome__in=[RawPost.KEPT, RawPost.GONE], then=F("tweet")))
    return posts.exclude(record=None, outcome=RawPost.GONE).update(record=None, outcome=RawPost.GONE, tweet=own)


def _feeds(platform: str, handle: str, account_id: str) -> QuerySet[Feed]:
    feeds = Feed.objects.filter(source__in=[source for source, its in PLATFORMS.items() if its == platform])
    return feeds.filter(Q(handle=handle) | Q(account_id=account_id)) if account_id else feeds.filter(handle=handle)


def _account_of(platform: str, handle: str) -> str:
    """Return the account id that this handle was last seen with; an empty one if it never was."""
    earlier = OptOut.objects.filter(platform=platform, handle=handle).exclude(account_id="").values_list("account_id", flat=True)
    # Where a source has no ids, the handle stands for one.
    feeds = _feeds(platform, handle, "").exclude(account_id__in=["", handle]).order_by("-visited_at").values_list("account_id", flat=True)
    return next((account_id for account_id in [*earlier, *feeds]), "")


def _names_of(platform: str, account_id: str) -> set[str]:
    """Return the handles that an account goes, or went, by."""
    if not account_id:
        return set()
    feeds = Feed.objects.filter(source__in=[source for source, its in PLATFORMS.items() if its == platform], account_id=account_id)
    kept = RawPost.objects.filter(feed__in=feeds, outcome__in=[RawPost.KEPT, RawPost.GONE]).exclude(tweet=None)
    return {*feeds.values_list("handle", flat=True), *kept.values_list("tweet__author__handle", flat=True).distinct()}
