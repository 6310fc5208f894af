"""What both human and machine text pass through, so that typography can't tell them apart."""

import hashlib
import html
import re
import unicodedata

import pycld2

# Share of human tweets that models learn from; the rest is played.
TRAIN_SHARE = 0.6
MIN_LENGTH = 25
# X's longest ordinary post is 280; anything much longer is a different kind of text.
MAX_LENGTH = 400

_PLAIN = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒", "-"),
        **dict.fromkeys("–—―", "-"),
        "…": "...",
        "！": "!",
        "？": "?",
    }
)
# Format characters that show nothing, less the joiner that emoji are made with (U+200D).
_INVISIBLE = re.compile("[\u00ad\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffc\ufffd\x00-\x08\x0e-\x1f\x7f-\x9f]")
_SPACE = re.compile(r"\s+")
_NOT_WORD = re.compile(r"[\W_]+")


def normalise(text: str) -> str:
    """Return `text` with entities decoded, quotes and dashes plain, white space single.

    Entities are decoded up to three times: posts that passed through several tools carry
    `&amp;amp;`. The result is a fixed point: normalising it again changes nothing.
    """
    for _ in range(8):
        before, text = text, _normalise_once(text)
        if text == before:
            break
    return text


def _normalise_once(text: str) -> str:
    text = unicodedata.normalize("NFC", html.unescape(text)).translate(_PLAIN)
    return _SPACE.sub(" ", _INVISIBLE.sub("", text)).strip()


def fingerprint(text: str) -> bytes:
    """Return 16 bytes equal for texts that differ only in case, punctuation or white space."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return hashlib.blake2b((_NOT_WORD.sub("", folded) or folded).encode(), digest_size=16).digest()


def is_for_training(mark: bytes) -> bool:
    """Say whether the human tweet with fingerprint `mark` belongs to the train split.

    Depends on the text alone, so a tweet is in the same split in every category, whatever
    order tweets were imported in.
    """
    fraction = int.from_bytes(hashlib.blake2b(mark, digest_size=8, person=b"split").digest(), "big") / 2**64
    return fraction < TRAIN_SHARE


_TLD = "com|org|net|gov|edu|co|io|ly|me|tv|us|uk|ca|de|fr|eu|gl|be|it|info|biz|news|vc|ai|app|fm|st|gd|is|mil|int|dev|blog|live|page"
_LINK = re.compile(
    rf"""(?ix)
      (?: https?\s?:\s?/ | https?:// | \bwww\.\w | \bpic\.twitter\.com )
    | \b t\.co/
    | (?<![@\w.]) [a-z0-9][a-z0-9-]* (?:\.[a-z0-9-]+)* \.(?:{_TLD}) / [^\s]*   # a path makes it a link
    | (?<![@\w.]) [a-z0-9][a-z0-9-]+ (?:\.[a-z0-9-]+)* \.(?:com|org|net|gov|edu) \b
    """
)
_MANUAL_RETWEET = re.compile(r"""(?ix) ^["'\s.]* (?:RT|MT) \b | \b(?:RT|MT)\s*:?\s*["']?\s*@\w | ^\s*["']\s*\.?\s*@\s?\w+ \s* (?:["':,-]|\s)""")
_MARKUP = re.compile(r"(?i)&(?:[a-z]{2,8}|#\d+);|</?(?:a|b|br|p|i|div|span|img|script|strong|em|blockquote)\b[^<>]*>")


def has_link(text: str) -> bool:
    """Say whether a reader would take part of `text` for a link."""
    return bool(_LINK.search(text))


def is_manual_retweet(text: str) -> bool:
    """Say whether `text` passes on somebody else's words, as in `RT @name` or `"@name: ...`."""
    return bool(_MANUAL_RETWEET.search(text))


def has_markup(text: str) -> bool:
    """Say whether HTML is left in the normalised `text`."""
    return bool(_MARKUP.search(text))


_MENTION_OR_TAG = re.compile(r"[@#]\w+")


def is_surely_other_language(text: str, language: str) -> bool:
    """Say whether `text` is in another language than `language` (ISO 639-1), beyond doubt."""
    # Handles and hashtags are names: they say nothing about the language round them.
    prose = _MENTION_OR_TAG.sub(" ", text)
    try:
        reliable, _, ranked = pycld2.detect(prose, isPlainText=True, bestEffort=False)
    except pycld2.error:  # not valid text for it: no opinion
        return False
    _, code, percent, _ = ranked[0]
    return bool(reliable) and percent >= 80 and code not in (language, "un")
