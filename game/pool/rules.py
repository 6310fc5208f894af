"""What both human and machine text pass through, so that typography can't tell them apart."""

import hashlib
import html
import re
import unicodedata
from html.entities import html5
from string import ascii_lowercase, ascii_uppercase

import pycld2

# Share of human tweets that models learn from; the rest is played.
TRAIN_SHARE = 0.6
MIN_LENGTH = 25
# X's longest ordinary post is 280; anything much longer is a different kind of text.
MAX_LENGTH = 400

# Single quotes, double quotes, hyphens and dashes, the ellipsis, full-width marks.
_PLAIN = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032`\u00b4", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015", "-"),
    "\u2026": "...",
    "\uff01": "!",
    "\uff1f": "?",
}
_FANCY = re.compile(f"[{''.join(_PLAIN)}]")
# What shows nothing or a box: format and control characters less the joiner that emoji are made with (U+200D),
# halves of a character that was cut in two (which no database takes), and the characters of one maker's fonts.
_INVISIBLE = re.compile(
    "[\u00ad\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffc\ufffd\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ue000-\uf8ff]"
)
_ENTITY = re.compile(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_NOT_WORD = re.compile(r"[\W_]+")
# The same in ASCII, in one step: small letters for capital ones, and what goes.
_SMALL = bytes.maketrans(ascii_uppercase.encode(), ascii_lowercase.encode())
_NOT_WORD_ASCII = bytes(code for code in range(128) if not chr(code).isalnum())


def normalise(text: str) -> str:
    """Return `text` with entities decoded, quotes and dashes plain, white space single.

    The result is a fixed point: normalising it again changes nothing. So entities are decoded
    however often they were encoded; posts that passed through several tools carry `&amp;amp;`.
    """
    if _is_plain(text):
        return text
    while (plainer := _normalise_once(text)) != text and not _is_settled(plainer):
        text = plainer
    return plainer


def _normalise_once(text: str) -> str:
    if "&" in text:
        text = _ENTITY.sub(_decode_entity, text)
    text = _FANCY.sub(lambda mark: _PLAIN[mark[0]], unicodedata.normalize("NFC", text))
    return " ".join(_INVISIBLE.sub("", text).split())


def _is_plain(text: str) -> bool:
    """Say at a glance of most texts that there is nothing to do."""
    return text.isascii() and text.isprintable() and "&" not in text and "`" not in text and "  " not in text and text.strip() == text


def _is_settled(text: str) -> bool:
    """Say of a text that was normalised once whether that was enough: entities and accents may still come of what was between."""
    return "&" not in text and unicodedata.is_normalized("NFC", text)


def _decode_entity(entity: re.Match[str]) -> str:
    # Left to itself html.unescape reads "&not sure" as "¬ sure", as browsers do.
    return html.unescape(entity[0]) if entity[1].startswith("#") else html5.get(f"{entity[1]};", entity[0])


def fingerprint(text: str) -> bytes:
    """Return 16 bytes equal for texts that differ only in case, punctuation or white space."""
    if text.isascii():
        words = text.encode().translate(_SMALL, _NOT_WORD_ASCII) or text.lower().encode()
    else:
        folded = unicodedata.normalize("NFKC", text).casefold()
        words = (_NOT_WORD.sub("", folded) or folded).encode()
    return hashlib.blake2b(words, digest_size=16).digest()


def is_for_training(mark: bytes) -> bool:
    """Say whether the human tweet with fingerprint `mark` belongs to the train split.

    Depends on the text alone, so a tweet is in the same split in every category, whatever
    order tweets were imported in.
    """
    fraction = int.from_bytes(hashlib.blake2b(mark, digest_size=8, person=b"split").digest(), "big") / 2**64
    return fraction < TRAIN_SHARE


_LINK = re.compile(
    r"""(?ix)
      \bhttps?\s?:\s?/ | :///?\w | \bwww\.\w | \bpic\.twitter\.com
    | (?<![@\w.]) [a-z0-9][a-z0-9-]* (?:\.[a-z0-9-]+)* \.[a-z]{2,4} / \S   # a path makes it a link
    | (?<![@\w.]) [a-z0-9][a-z0-9-]+ (?:\.[a-z0-9-]+)* \.(?:com|org|net|gov|edu) \b
    """
)
_LINK_SLASH = re.compile(r"(?i):\s?/|\.[a-z]{2,4}/")
# "RT if you agree" is a person's own words.
_ASKING = "if|this|that|to|me|us|and|or|please|pls|plz|for|with|is|was|has|on|in|now|so"
_MANUAL_RETWEET = re.compile(
    rf"""(?x)
      ^[\W_]* RT\b (?! -\w | \W* (?i:{_ASKING})\b )
    | \b(?i:RT|MT) \s?:?\s* ["'.]* \s*@[@\s]*\w
    | \b(?:RT|MT) :?\s* "\w | ^MT:
    | (?<=[.!?)"]\s) RT \s (?! (?i:{_ASKING})\b ) [A-Z]\w   # a comment, then the words commented on
    | ^["'\s]* ["'] [\s.]* @\s?\w
    | (?<!\w)["'] [\s.]* @\s?\w+ \s?:
    """
)
_MARKUP = re.compile(r"(?i)&(?:[a-z]{2,8}|#\d+);|</?(?:a|b|br|p|i|div|span|img|script|strong|em|blockquote)(?=[\s/>])[^<>]*>")


def has_link(text: str) -> bool:
    """Say whether a reader would take part of `text` for a link."""
    return _may_have_link(text) and bool(_LINK.search(text))


def _may_have_link(text: str) -> bool:
    # Every link has one of these. To look for them first is many times faster than the expression.
    if "/" in text and _LINK_SLASH.search(text):
        return True
    if "." not in text:
        return False
    small = text.lower()
    return ".com" in small or ".org" in small or ".net" in small or ".gov" in small or ".edu" in small or "www." in small


def is_manual_retweet(text: str) -> bool:
    """Say whether `text` passes on somebody else's words, as in `RT @name` or `"@name: ...`."""
    return ("RT" in text or "MT" in text or "@" in text) and bool(_MANUAL_RETWEET.search(text))


def has_markup(text: str) -> bool:
    """Say whether HTML is left in the normalised `text`."""
    return ("<" in text or "&" in text) and bool(_MARKUP.search(text))


# What stands before a piece of a thread: its place, as in 2/5, (3/n), 4/ or 1:3, or the number of an item, as in 2) or 3. or #4 -
_PIECE_BEGINS = frozenset(".([#0123456789")
_PLACE_BEFORE = re.compile(
    r"([(\[]?)(\d{1,2})\s?(?:/\s?|:(?=\d\s))(\d{1,2}(?![\w/%])|[nNxX?](?!\w)|(?=[\s)\]:.,A-Z]|[a-z]{2}))([)\]:.,]*)\s*(\w*)"
)
_ITEM = re.compile(r"[#(\[]?(\d{1,2})(?:[).\]]\s|\s?--?\s(?!\d))")
_SECOND_ITEM = re.compile(r"(?<!\d)2(?:[).\]]|\s?--?\s)")
# Its place behind it, in the last word that is no hashtag.
_PLACE_BEHIND = re.compile(r"(.*[^\w/$:]|)(\d{1,2})/(\d{1,2}|[nNxX?]|)[)\]]?\.*")
# What makes a share or a date of it: "2/3 of us", "1/2 a day", "until 4/30", "Sat (4/6)".
_COUNTED = frozenset(("of", "the", "a", "an", "people", "cup", "cups", "hour", "day", "inch", "mile", "way"))
_WEEKDAYS = frozenset(("mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun"))
_DATED = _WEEKDAYS | {
    *("on", "by", "until", "till", "thru", "through", "since", "before", "after", "from", "to"),
    *("of", "and", "or", "than", "is", "was", "about", "at", "am", "pm"),
}


def is_piece(text: str) -> bool:
    """Say whether the normalised `text` is a piece of a thread: it is numbered, or goes on where another broke off."""
    return (text[:1] in _PIECE_BEGINS and _begins_as_piece(text)) or ("/" in text and _ends_as_piece(text))


def _begins_as_piece(text: str) -> bool:
    if text.startswith(".."):
        return True
    if item := _ITEM.match(text):
        # A list of its own has a second item.
        return 1 < int(item[1]) <= 20 or (item[1] == "1" and not _SECOND_ITEM.search(text))
    if not (before := _PLACE_BEFORE.match(text)):
        return False
    bracket, place, places, mark, word = before.groups()
    return _is_place(place, places) and bool(bracket or mark or not places.isdecimal() or word not in _COUNTED)


def _ends_as_piece(text: str) -> bool:
    words = text.split()
    while len(words) > 1 and words[-1].startswith("#"):
        words.pop()
    if not (behind := _PLACE_BEHIND.fullmatch(words[-1])):
        return False
    mark, place, places = behind.groups()
    if not _is_place(place, places):
        return False
    said = words[-2] if len(words) > 1 and mark in ("", "(", "[") else mark
    if not places.isdecimal() or (mark and said.casefold().rstrip(".,") not in _WEEKDAYS):
        return True
    if said[-1:] in tuple(".!?"):
        # "Worth seeing. 10/10"
        return int(places) < 10 or place != places
    return said.casefold() not in _DATED and (int(places) < 10 or place == "1")


def _is_place(place: str, places: str) -> bool:
    return not places.isdecimal() or (1 <= int(place) <= int(places) <= 40 and places != "1" and (place, places) != ("9", "11"))


# It has codes of its own for scripts (xx-…), for jokes (zz…) and for nothing (xxx), and two that ISO has replaced.
_NEW_CODES = {"iw": "he", "jw": "jv"}
_NO_CODES = re.compile(r"xx|zz|tlh$|sr-ME$")
_BETTER_NAMES = {
    "LAOTHIAN": "Lao",
    "LUO_KENYA_AND_TANZANIA": "Luo",
    "NORWEGIAN_N": "Norwegian Nynorsk",
    "RHAETO_ROMANCE": "Romansh",
    "SCOTS_GAELIC": "Scottish Gaelic",
    "SESELWA": "Seychellois Creole",
    "SISWANT": "Swati",
    "ChineseT": "Chinese, traditional script",
}
# What can be told apart, by ISO 639 codes, of two letters where there is one.
LANGUAGES = {
    _NEW_CODES.get(code, code): _BETTER_NAMES.get(name) or name.replace("_", " ").title()
    for name, code in pycld2.LANGUAGES
    if not _NO_CODES.match(code)
}
_MENTION_OR_TAG = re.compile(r"[@#]\w+")
_WORD = re.compile(r"\w+")
# So common in a language, and so rare elsewhere, that two of them settle it. To look for them first takes a tenth of the time.
_COMMON_ENGLISH = """
    the and that with this have you our your what from they would which their about been were why how when there because
    it's don't I'm The This We What
    just not more get people today good know make think should right really need want after only some still work tonight like going
    great see than who has out my It's Thank Thanks
"""
_SETTLING = {"en": frozenset(_COMMON_ENGLISH.split())}


def is_surely_other_language(text: str, language: str) -> bool:
    """Say whether `text` is in another language than `language` (one of LANGUAGES), beyond doubt.

    How often this is wrong, and what else was tried: docs/cleaning.md.
    """
    settling = _SETTLING.get(language)
    if settling and len(settling.intersection(text.split())) > 1:
        return False
    # Handles and hashtags are names: they say nothing about the language round them.
    prose = _MENTION_OR_TAG.sub(" ", text) if "@" in text or "#" in text else text
    if not _seems_other_language(prose, language):
        return False
    # Other names say no more: "wheels up Tokyo -> Jakarta" is no Danish.
    return _seems_other_language(_WORD.sub(lambda word: " " if word[0].istitle() else word[0], prose), language)


def _seems_other_language(prose: str, language: str) -> bool:
    try:
        reliable, _, ranked = pycld2.detect(prose, isPlainText=True, hintLanguage=language)
    except pycld2.error:  # a language or a text that it does not know: no opinion
        return False
    _, code, percent, _ = ranked[0]
    # Scots is what it takes slang for.
    return bool(reliable) and percent >= 80 and _NEW_CODES.get(code, code) not in (_NEW_CODES.get(language, language), "un", "sco")
