"""What both human and machine text pass through, so that typography can't tell them apart."""

import hashlib
import html
import re
import unicodedata

# Share of human tweets that models learn from; the rest is played.
TRAIN_SHARE = 0.6

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
