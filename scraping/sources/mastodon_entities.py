"""What the entities of Mastodon's API say of accounts and posts (https://docs.joinmastodon.org/entities/)."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from scraping.records import MAX_LINK_LENGTH, MAX_NAME_LENGTH, read_moment
from scraping.rules import Post
from scraping.sources.base import Account, State, Unavailable
from scraping.sources.plain import plain

# What people put into their profiles who do not want this.
_NO = re.compile(r"(?i)#no[_-]?(?:bots?|archiv(?:e|ing)|index(?:ing)?|search|scrap(?:e|ing)|ai|(?:ai)?training|research)\b")
_WEB_ADDRESS = re.compile(r"https?://[^\s\"<>]+")


@contextmanager
def _reading(server: str) -> Iterator[None]:
    """Mastodon.py hands on what it can't make sense of as it came."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"the answer of {server} is not one of Mastodon's API") from error


def read_account(found: Mapping[str, Any], server: str, home: str) -> Account:
    """Return the account that `server` calls by a number of its own; without a host in its name it lives at `home`."""
    with _reading(server):
        acct = str(found["acct"])
        name = plain(str(found.get("display_name") or ""), _shortcodes(found))[:MAX_NAME_LENGTH]
        return Account(f"{server}/{found['id']}", acct if "@" in acct else f"{acct}@{home}", name, _state(found))


def _state(found: Mapping[str, Any]) -> State:
    """Return what an account is: `locked` ones choose their followers, and what they post for all is for all.

    Nobody who is `limited` by their server is shown to strangers there. A `bot` says of itself that no
    person writes it; `noindex` is known of a server's own accounts only.
    """
    if found.get("suspended") or found.get("limited"):
        return State.SUSPENDED
    fields = " ".join(f"{field.get('name')} {field.get('value')}" for field in found.get("fields") or [])
    words = plain(f"{found.get('note') or ''} {fields} {found.get('display_name') or ''}")
    return State.DECLINED if found.get("noindex") or found.get("bot") or _NO.search(words) else State.OPEN


def is_for_all(status: Mapping[str, Any]) -> bool:
    """Say whether a post was meant for everybody's eyes: public, without a warning, not sensitive."""
    return status.get("visibility") in ("public", "unlisted") and not status.get("spoiler_text") and not status.get("sensitive")


def read_post(status: Mapping[str, Any], account: Account, server: str) -> Post:
    """Return the post that an account, or somebody whom it boosts, wrote."""
    with _reading(server):
        address = str(status.get("url") or "")
        facts = {
            "source_id": f"{server}/{status['id']}",
            "link": address if len(address) <= MAX_LINK_LENGTH and _WEB_ADDRESS.fullmatch(address) else "",
            "likes": int(status.get("favourites_count") or 0),
            "shares": int(status.get("reblogs_count") or 0),
        }
        return Post(
            text=plain(str(status.get("content") or ""), _shortcodes(status)),
            handle=account.handle,
            platform="mastodon",
            name=account.name,
            account_id=account.id,
            posted_at=read_moment(status.get("created_at")),
            is_retweet=status.get("reblog") is not None,
            is_reply=status.get("in_reply_to_id") is not None,
            facts={name: value for name, value in facts.items() if value != ""},
        )


def _shortcodes(entity: Mapping[str, Any]) -> list[str]:
    return [str(emoji["shortcode"]) for emoji in entity.get("emojis") or [] if emoji.get("shortcode")]
