"""Whose posts a category takes: from its file, and added by hand."""

from collections.abc import Iterable
from pathlib import Path

from django.db import transaction
from django.db.models import Q

from game.pool.models import Category
from scraping.handle_lists import Handle, HandlesError, read_handles
from scraping.models import Feed

HANDLES = Path(__file__).resolve().parent / "handles"


def file_of(category: Category) -> Path:
    """Return where the handles of a category are listed; the file need not be there."""
    return HANDLES / f"{category.slug}.txt"


@transaction.atomic
def sync_file(*, category: Category) -> int:
    """Take over what the category's file lists, and return how many; what it lists no longer is not fetched any more.

    What was added or taken off by hand stays as it is. Without a file nothing changes. Raises HandlesError.
    """
    path = file_of(category)
    if not path.is_file():
        return 0
    try:
        handles = read_handles(path.read_text(encoding="utf-8").splitlines(), where=path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise HandlesError(f"{path.name} can't be read: {error}.") from error
    listed = set(handles)
    from_file = Feed.objects.filter(category=category, by_hand=False)
    gone = [feed.pk for feed in from_file.filter(listed=True) if Handle(feed.source, feed.handle) not in listed]
    back = [feed.pk for feed in from_file.filter(listed=False) if Handle(feed.source, feed.handle) in listed]
    from_file.filter(pk__in=gone).update(listed=False)
    from_file.filter(pk__in=back).update(listed=True)
    _create(category, handles, by_hand=False)
    return len(handles)


@transaction.atomic
def add_handles(*, category: Category, text: str, where: str = "handles") -> list[Feed]:
    """Add the accounts that `text` lists, or put them back on the list, and return their feeds; raises HandlesError.

    Errors name the text as `where`. Those who opted out stay off it.
    """
    handles = read_handles(text.splitlines(), where=where)
    _create(category, handles, by_hand=True)
    wanted = Q(pk__in=[])
    for handle in handles:
        wanted |= Q(source=handle.source, handle=handle.handle)
    feeds = Feed.objects.filter(wanted, category=category)
    feeds.filter(listed=False).update(listed=True, by_hand=True)
    return list(feeds)


def drop_feed(*, feed_id: int) -> None:
    """Take an account off its category's list: what was fetched stays, nothing more is."""
    Feed.objects.filter(pk=feed_id).update(listed=False, by_hand=True)


def _create(category: Category, handles: Iterable[Handle], *, by_hand: bool) -> None:
    Feed.objects.bulk_create(
        (Feed(category=category, source=handle.source, handle=handle.handle, by_hand=by_hand) for handle in handles), ignore_conflicts=True
    )
