"""The shapes that Twitter and X gave to a post, as twarc and the archive keep them, with the fields' names of scraping.records."""

from collections.abc import Mapping, Sequence
from typing import Any

_ANSWERED = (
    *("in_reply_to_status_id_str", "in_reply_to_status_id"),
    *("in_reply_to_user_id_str", "in_reply_to_user_id", "in_reply_to_screen_name"),
)


def plain_records(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the posts in one line of JSON, whichever API it came from: one, as a rule, or those of a page."""
    if "data" in record and "text" not in record:
        return _from_page(record)
    if "author_id" in record or "public_metrics" in record:
        return (from_version_2(record),)
    if isinstance(record.get("user"), dict):
        return (from_version_1(record),)
    return (record,)


def _from_page(page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    posts = page["data"] if isinstance(page["data"], list) else [page["data"]]
    users = {user.get("id"): user for user in _list(_dict(page, "includes"), "users") if isinstance(user, dict)}
    return [from_version_2(post, users) if isinstance(post, dict) else {} for post in posts]


def from_version_2(post: Mapping[str, Any], users: Mapping[Any, Mapping[str, Any]] | None = None) -> Mapping[str, Any]:
    """Return a post of the API v2, as twarc2 writes it; `users` by id where its author is not in it."""
    author = _dict(post, "author") or (users or {}).get(post.get("author_id"), {})
    refers = {reference.get("type") for reference in _list(post, "referenced_tweets") if isinstance(reference, dict)}
    metrics = _dict(post, "public_metrics")
    fields = {
        "text": _dict(post, "note_tweet").get("text") or post.get("text") or post.get("full_text"),
        "username": author.get("username") or post.get("username"),
        "name": author.get("name"),
        "user_id": post.get("author_id"),
        "created_at": post.get("created_at"),
        "likes": metrics.get("like_count"),
        "shares": metrics.get("retweet_count"),
        "id": post.get("id"),
        "conversation_id": post.get("conversation_id"),
        "link": _link(author.get("username"), post.get("id")),
        "is_retweet": "retweeted" in refers,
        "is_reply": "replied_to" in refers or bool(post.get("in_reply_to_user_id")),
        "is_superseded": _is_superseded(post.get("id"), _list(post, "edit_history_tweet_ids")),
    }
    return {name: value for name, value in fields.items() if value is not None}


def from_version_1(post: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a post of the API v1.1, as twarc 1 and the archive write it."""
    author = _dict(post, "user")
    own_id = post.get("id_str") or post.get("id")
    edits = _dict(post, "edit_info")
    versions = _dict(edits, "initial") or _dict(_dict(edits, "edit"), "editControlInitial")
    fields = {
        "text": _dict(post, "extended_tweet").get("full_text") or post.get("full_text") or post.get("text"),
        "username": author.get("screen_name"),
        "name": author.get("name"),
        "user_id": author.get("id_str"),
        "created_at": post.get("created_at"),
        "likes": post.get("favorite_count"),
        "shares": post.get("retweet_count"),
        "id": own_id,
        "link": _link(author.get("screen_name"), own_id),
        "is_retweet": bool(post.get("retweeted_status")),
        "is_reply": any(post.get(name) for name in _ANSWERED),
        "is_superseded": _is_superseded(own_id, _list(versions, "editTweetIds")),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _is_superseded(own_id: Any, versions: list[Any]) -> bool:
    ids = [int(version) for version in map(str, versions) if version.isdecimal() and len(version) <= 20]
    return str(own_id) in map(str, ids) and str(own_id) != str(max(ids))


def _link(handle: Any, own_id: Any) -> str:
    return f"https://twitter.com/{handle}/status/{own_id}" if handle and own_id else ""


def _dict(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _list(record: Mapping[str, Any], name: str) -> list[Any]:
    value = record.get(name)
    return value if isinstance(value, list) else []
