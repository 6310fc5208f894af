"""What students are called: names that are given, and which typed ones may stand on a projector. Pure."""

import random
import re
import tomllib
import unicodedata
from pathlib import Path

from game.pool.personal import personal_data
from game.pool.rules import has_link
from game.pool.unsafe import unsafe_words

SHORTEST, LONGEST = 2, 24
# Whoever needs more writes a telephone number.
MAX_DIGITS = 4

_DATA = tomllib.loads(Path(__file__).with_name("names.toml").read_text(encoding="utf-8"))
_ADJECTIVES, _ANIMALS = _DATA["adjectives"].split(), _DATA["animals"].split()
_LOOKALIKES = {ord(other): letter for letter, others in _DATA["lookalikes"].items() for other in others}

_MARKS_BETWEEN = frozenset(" '\u2019.-")
# Letters of every alphabet, marks on them, digits.
_CATEGORIES = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"))
# Letters that show nothing: format characters are refused by their category, these are letters and marks by theirs.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0]")
_MARKS_ON_MARKS = 3
# The scripts of one language: Japanese, Korean, Chinese with its phonetic signs.
_TOGETHER = (frozenset(("CJK", "HIRAGANA", "KATAKANA")), frozenset(("CJK", "HANGUL")), frozenset(("CJK", "BOPOMOFO")))


class BadName(Exception):
    """A name that can't stand there; the message says why, and what to do."""


def new_name(rng: random.Random, *, numbered: bool = False) -> str:
    """Return a name such as "Calm Otter", or "Otter 47" where those are taken."""
    animal = rng.choice(_ANIMALS)
    return (f"{animal} {rng.randint(2, 9_999)}" if numbered else f"{rng.choice(_ADJECTIVES)} {animal}").title()


def read_name(typed: str) -> str:
    """Return the name that somebody typed, its spaces single; raises BadName."""
    name = " ".join(unicodedata.normalize("NFKC", typed[: 10 * LONGEST]).split())
    if not SHORTEST <= len(name) <= LONGEST:
        raise BadName(f"A name has {SHORTEST} to {LONGEST} characters.")
    if not all(map(_is_allowed, name)) or not any(map(str.isalpha, name)) or _has_piled_marks(name):
        raise BadName("Use letters, digits, spaces, and ' . - between them.")
    if _mixes_scripts(name):
        raise BadName("Use the letters of one alphabet.")
    if sum(map(str.isdecimal, name)) > MAX_DIGITS or personal_data(name) or has_link(name):
        raise BadName("Leave numbers and addresses out: a first name will do.")
    # A capital I passes for a small l.
    if any(map(unsafe_words, (name, *(form for each in (name, name.replace("I", "l")) for form in (_plain(each), _joined(each)))))):
        raise BadName("Choose another one: this page is on the projector.")
    if looks_like(re.sub(r"\d+$", "", name)) in _NEVER_WHOLE or any(word in looks_like(name) for word in _NEVER_WITHIN):
        raise BadName("Choose another one: this page is on the projector.")
    return name


def looks_like(name: str) -> str:
    """Return what is equal for names that a class could take for each other: I, l and 1 are, and 0 and o."""
    return _joined(name).replace("i", "l")


def _joined(name: str) -> str:
    return re.sub(r"[\W_]+", "", _plain(name))


def _plain(name: str) -> str:
    apart = unicodedata.normalize("NFKD", name.casefold())
    return "".join(char for char in apart if not unicodedata.combining(char)).translate(_LOOKALIKES)


def _is_allowed(char: str) -> bool:
    return char in _MARKS_BETWEEN or (unicodedata.category(char) in _CATEGORIES and not _BLANK.match(char))


def _has_piled_marks(name: str) -> bool:
    run = 0
    for char in name:
        run = run + 1 if unicodedata.category(char) == "Mn" else 0
        if run == _MARKS_ON_MARKS:
            return True
    return False


def _mixes_scripts(name: str) -> bool:
    # Signs of length, of repetition and for apostrophes are "modifier letters": of no alphabet.
    scripts = {unicodedata.name(char, "?").split()[0] for char in name if char.isalpha() and unicodedata.category(char) != "Lm"}
    return len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER)


_NEVER_WITHIN, _NEVER_WHOLE = (frozenset(map(looks_like, _DATA["refused"][where].split())) for where in ("within", "whole"))
