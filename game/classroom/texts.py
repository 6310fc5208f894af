"""What students write: made like all other text here, or refused; and how many cards of whom are dealt. Pure rules over text."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from game.pool.personal import personal_data
from game.pool.rules import MIN_LENGTH, has_link, has_markup, is_manual_retweet, normalise
from game.pool.unsafe import unsafe_words

# X's longest ordinary post: the counter's end. Models' texts that are longer are not dealt, or length would tell.
LONGEST = 280
# Of students' texts, whatever the teacher's number of cards.
MOST_HUMAN = 30
# Nobody writes more; and entities in entities take time to undo.
_MAX_TYPED = 4_000
# By so many at most there are more of one kind than of the other: who counts the cards knows little about the last one.
_UNEVEN = 2

# Joins emoji; the only invisible character that normalising leaves.
_JOINER = "\u200d"
# What follows the last word without a space: marks, and the ends of "the bot's" and "we'll".
_HANGING = re.compile(r"[.,;:!?)]|'(?:s|re|ve|ll|d|m|t)\b")
_WORD = re.compile(r"[^\W_]+")
# Of whatever country: game.pool.personal knows numbers of two.
_MANY_DIGITS = re.compile(r"\d(?:[\s().\-\u2010-\u2015/]{0,3}\d){7,}")


class BadText(Exception):
    """What a student wrote can't be kept; `code` is stable, the message says why, and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def clean_text(typed: str, *, prompt: str) -> str:
    """Return the whole text that begins with the normalised `prompt`, as all text here is written; raises BadText."""
    if len(typed) > _MAX_TYPED:
        raise BadText("long", f"That is a whole story: all in all there is room for {LONGEST} characters.")
    own = normalise(typed)
    text = normalise(f"{prompt}{own}" if _HANGING.match(own) else f"{prompt} {own}")
    if not goes_on(text, prompt=prompt):
        raise BadText("empty", "Go on from the beginning that is there: a few words are enough.")
    if len(text) < MIN_LENGTH:
        raise BadText("short", f"That is a little short: {MIN_LENGTH - len(text)} more, and it is long enough.")
    if len(text) > LONGEST:
        raise BadText("long", f"That is {len(text) - LONGEST} too many: all in all there is room for {LONGEST} characters.")
    for code, is_bad, message in _REFUSALS:
        if is_bad(text):
            raise BadText(code, message)
    return text


def goes_on(text: str, *, prompt: str) -> bool:
    """Say whether `text` begins with `prompt`, ends its last word there, and adds a word of its own.

    Models may go on in the middle of a word and students can't: that would tell.
    """
    own = text[len(prompt) :]
    return text.startswith(prompt) and not own[:1].isalnum() and any(map(str.isalnum, own))


def is_presentable(text: str, *, prompt: str) -> bool:
    """Say whether a model's `text` is one that a student could have handed in."""
    fits = MIN_LENGTH <= len(text) <= LONGEST and goes_on(text, prompt=prompt)
    return fits and not any(is_bad(text) for _, is_bad, _ in _REFUSALS)


def _is_hidden(text: str) -> bool:
    return not text.replace(_JOINER, "").isprintable()


_REFUSALS: tuple[tuple[str, Callable[[str], object], str], ...] = (
    ("hidden", _is_hidden, "There are characters in it that can't be shown: use ordinary letters."),
    ("link", has_link, "No links, please: the bots write none either."),
    ("markup", has_markup, "No HTML, please: words alone."),
    ("retweet", is_manual_retweet, "No retweets, please: use your own words."),
    ("personal", personal_data, "There seems to be somebody's address or number in it: leave it out."),
    ("unsafe", unsafe_words, "There is a word in it that does not belong in a class: say it another way."),
)


def warnings(text: str, *, names: Iterable[str]) -> list[str]:
    """Return what whoever approves `text` should look at, in words: that it names somebody of the class, by `names`, too."""
    found = [f"Unsafe word: {word}" for word in unsafe_words(text)]
    if kind := personal_data(text):
        found.append(f"Personal data: {kind}")
    elif number := _MANY_DIGITS.search(text):
        found.append(f"May be a telephone number: {number[0]}")
    spelled = _spell(text)
    return [*found, *(f"Names {name}, who is in the class" for name in names if _spell(name) in spelled)]


def _spell(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.casefold()))} "


@dataclass(frozen=True, slots=True)
class Deal:
    """How many texts of whom become cards."""

    human: int
    machine: int


def plan_deal(*, human: int, machine: int, limit: int, rng: Random) -> Deal | None:
    """Return how many cards to deal of so many approved texts of each kind, `limit` in all at most; None without one of each.

    All that students wrote if they fit, and about as many by models; half and half where the limit is lower than that.
    """
    if not human or not machine or limit < 2:
        return None
    of_human = min(human, MOST_HUMAN, max(limit - machine, limit // 2 + rng.randint(0, limit % 2)))
    of_machine = min(machine, limit - of_human, max(1, of_human + rng.randint(-_UNEVEN, _UNEVEN)))
    return Deal(of_human, of_machine)
