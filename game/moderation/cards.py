"""A tweet as the queue's pages show it: its text in pieces, its flags in words, what it is too near to."""

from dataclasses import dataclass

from game.moderation.marks import Piece, mark_differences, mark_words
from game.moderation.selectors import Item, Note, Opinion, Origin
from game.moderation.tokens import tweet_token
from game.pool.models import TweetFlag
from game.pool.personal import personal_data
from game.pool.unsafe import unsafe_words

_ABOUT_WORDS = {TweetFlag.Flag.UNSAFE: unsafe_words, TweetFlag.Flag.PERSONAL: personal_data}
# Only machine tweets are compared with what a model learned from: one word for both, or the flag would tell who wrote it.
_LIKE_ANOTHER = {TweetFlag.Flag.NEAR, TweetFlag.Flag.COPIED}


@dataclass(frozen=True, slots=True)
class Pair:
    """A tweet and one that it is too near to, the words marked in which they differ."""

    ours: list[Piece]
    theirs: list[Piece]


@dataclass(frozen=True, slots=True)
class Card:
    """What a page shows of a tweet that waits for a decision. `origin` and `opinions` are there only where they were asked for."""

    token: str
    text: str
    pieces: list[Piece]
    chips: list[str]
    pairs: list[Pair]
    origin: Origin | None
    opinions: tuple[Opinion, ...]


def to_card(item: Item) -> Card:
    """Return what is shown of `item`."""
    minds = [_ABOUT_WORDS[TweetFlag.Flag(note.flag)] for note in item.notes if note.flag in _ABOUT_WORDS]
    pieces = mark_words(item.text, lambda words: any(find(words) for find in minds)) if minds else [Piece(item.text)]
    pairs = [Pair(*mark_differences(item.text, note.other_text)) for note in item.notes if note.other_text]
    chips = list(dict.fromkeys(_chip(note) for note in item.notes))
    return Card(tweet_token(item.tweet_id), item.text, pieces, chips, pairs, item.origin, item.opinions)


def _chip(note: Note) -> str:
    if note.flag in _LIKE_ANOTHER:
        return "near-duplicate"
    return f"{note.label}: {note.detail}" if note.detail else note.label
