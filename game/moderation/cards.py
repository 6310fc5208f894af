"""A tweet as the queue's pages show it: its text in pieces, its flags in words, what it is too near to."""

from collections.abc import Callable
from dataclasses import dataclass

from game.moderation.marks import Piece, mark_differences, mark_words
from game.moderation.selectors import Item, Note, Opinion, Origin
from game.moderation.tokens import tweet_token
from game.pool.models import TweetFlag
from game.pool.personal import personal_data
from game.pool.unsafe import unsafe_words
from generation.rules import words_of

Finder = Callable[[str], object]


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
    finders = [finder for note in item.notes if (finder := _finder(note))]
    pieces = mark_words(item.text, lambda words: any(find(words) for find in finders)) if finders else [Piece(item.text)]
    pairs = [Pair(*mark_differences(item.text, note.other_text)) for note in item.notes if note.other_text]
    chips = list(dict.fromkeys(_chip(note) for note in item.notes))
    return Card(tweet_token(item.tweet_id), item.text, pieces, chips, pairs, item.origin, item.opinions)


def _finder(note: Note) -> Finder | None:
    """Return what sees in some words of a text what the flag is about; nothing for flags that are about all of it."""
    match note.flag:
        case TweetFlag.Flag.UNSAFE:
            return unsafe_words
        case TweetFlag.Flag.PERSONAL:
            return personal_data
        case TweetFlag.Flag.COPIED if note.detail:
            return lambda words: note.detail in " ".join(words_of(words))
    return None


def _chip(note: Note) -> str:
    # Words from training are marked in the text.
    return f"{note.label}: {note.detail}" if note.detail and note.flag != TweetFlag.Flag.COPIED else note.label
