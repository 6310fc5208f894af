"""Words that no school class should see, whoever wrote them. Which, and why those: unsafe_words.toml."""

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import chain, groupby, product
from pathlib import Path
from string import ascii_lowercase

from ahocorasick_rs import AhoCorasick, Implementation

# What people type for a letter.
_LOOKALIKES = {"a": "4@", "e": "3", "i": "1!|", "o": "0", "s": "5$", "t": "7"}
_VOWELS = "aeiou"
_MARKS = "._*~-"
_ENDING = "(?:s|'s)?"
_FORMS = {
    "part": "{}",
    "start": "{begin}{}",
    "word": "{begin}{}{ending}{end}",
    "phrase": "{begin}{}{end}",
    "lowercase": "{begin}{}{ending}{end}",
}
_RUN = re.compile(r"([a-z])\1+")
_BEGIN, _END = r"(?<![^\W_])", r"(?![^\W_])"


def _read_words() -> Iterator[tuple[str, str]]:
    """Yield (form, word) of all that unsafe_words.toml holds."""
    for kind in tomllib.loads(Path(__file__).with_name("unsafe_words.toml").read_text(encoding="utf-8")).values():
        for form, words in kind.items():
            yield from ((form, word) for word in words)


def _expression(form: str, word: str) -> str:
    """Return the expression of a word and of how people disguise it."""
    runs = [(letter, len(list(run))) for letter, run in groupby(word)]
    solid = "".join(_stretched(letter, times) if letter.isalpha() else re.escape(letter * times) for letter, times in runs)
    solid = _FORMS[form].format(solid, begin=_BEGIN, ending=_ENDING, end=_END)
    if not word.isalpha():
        return solid
    letters = [_any_of(letter) for letter in word]
    spelled = "|".join(mark.join(letters) for mark in (rf"[{re.escape(_MARKS)}]?", r"\s"))
    return rf"{solid}|{_BEGIN}(?:{spelled}){_ENDING}{_END}"


def _any_of(letter: str) -> str:
    return f"[{re.escape(_typed_for(letter))}]"


def _stretched(letter: str, times: int) -> str:
    # Two consonants for one make another word, or a name.
    return f"{_any_of(letter)}(?:{letter}{letter}+)?" if times == 1 and letter not in _VOWELS else f"{_any_of(letter)}{{{times},}}"


def _typed_for(letter: str) -> str:
    return letter + _LOOKALIKES.get(letter, "") + ("*" if letter in _VOWELS else "")


def _alarms(word: str) -> Iterator[str]:
    """Yield strings of which nearly every disguise of a word that `_expression` finds holds one, letters in threes aside."""
    if not word.isalpha():
        yield word
        return
    yield from map("".join, product(*map(_typed_for, word)))
    yield from (word[:place] + word[place] + word[place:] for place in range(len(word)) if word[place] in _VOWELS)
    yield from (word[:place] + mark + word[place:] for place in range(1, len(word)) for mark in _MARKS)
    yield from (mark.join(word[:4]) for mark in f"{_MARKS} " if len(word) > 3)


_WORDS = [each for each in _read_words() if each[0] != "harmless"]
_HARMLESS = [word for form, word in _read_words() if form == "harmless"]


def _map_alarms() -> dict[str, list[int]]:
    """Return by alarm the places in _WORDS of the words that it may be one of: none for letters in threes."""
    alarms: dict[str, list[int]] = {3 * letter: [] for letter in ascii_lowercase}
    for place, (_, word) in enumerate(_WORDS):
        for alarm in set(_alarms(word)):
            alarms.setdefault(alarm, []).append(place)
    return alarms


# Without any letter twice in a row: for texts that hold one in threes.
_ONCE = [_RUN.sub(r"\1", word) for _, word in _WORDS]
_PLACES = list(_map_alarms().items())
# Nearly all texts hold none of these, which takes less than a microsecond to see.
_ALARM = AhoCorasick([alarm for alarm, _ in _PLACES], implementation=Implementation.DFA)


def _hear(small: str) -> list[list[int]]:
    return [_PLACES[alarm][1] for alarm, _, _ in _ALARM.find_matches_as_indexes(small, overlapping=True)]


@cache
def _compiled(place: int) -> re.Pattern[str]:
    form, word = _WORDS[place]
    return re.compile(_expression(form, word), 0 if form == "lowercase" else re.IGNORECASE)


@cache
def _harmless() -> re.Pattern[str]:
    return re.compile(rf"{_BEGIN}(?:{'|'.join(map(re.escape, _HARMLESS))}){_END}", re.IGNORECASE)


def unsafe_words(text: str) -> list[str]:
    """Return the words of unsafe_words.toml that `text` holds, in whatever disguise, in the order of that file."""
    if not text.isascii():
        text = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    small = text.lower()
    if not (alarms := _hear(small)):
        return []
    if not all(alarms):
        once = _RUN.sub(r"\1", small)
        alarms.append([place for place, word in enumerate(_ONCE) if word in once])
    if any(word in small for word in _HARMLESS):
        text = _harmless().sub(" ", text)
    places = sorted(set(chain.from_iterable(alarms)))
    return [_WORDS[place][1] for place in places if _compiled(place).search(text)]
