"""Personal data in a text: what nobody should find in a game, whether a person let it slip or a model made it up.

How often each is right, and what is let through on purpose: docs/cleaning.md.
"""

import re
from collections.abc import Callable, Iterator

import phonenumbers

# All of these but addresses of mail have this somewhere. To look for it first is many times faster than the expressions.
_MAYBE = re.compile(r"[0-9][0-9](?:\s[A-Z0-9]|[0-9 ().-]{4,}[0-9])")
_EMAIL = re.compile(r"@(?<=[\w+]@)[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*\.[a-zA-Z]{2,}\b")
_WHOLE_EMAIL = re.compile(rf"[\w.+-]*{_EMAIL.pattern}")
# Seven digits or more with what people put between them, as in +49 (0)30 1234-567; the library says whether it is a number.
_NUMBER = re.compile(r"(?<![\w.,/$#])(?:\+[ ]?)?\(?[0-9](?:[ ().-]{0,3}[0-9]){6,}(?![\w/])|\+[0-9](?:[ ().-]{0,3}[0-9]){6,}")
# Where a number without a country's prefix may be from.
_REGIONS = ("US", "GB")
_NAME = r"(?:[A-Z][\w']*|(?:St|Mt|Ft|Dr)\.|[0-9]{1,3}(?:st|nd|rd|th))"
_DIRECTION = r"(?:(?:[NSEW]\.?|NE|NW|SE|SW|North|South|East|West)\s)?"
_KIND = r"(?:St|Ave|Av|Rd|Blvd|Dr|Ln|Ct|Hwy|Pkwy|Street|Avenue|Road|Boulevard|Drive|Lane|Highway|Parkway|Terrace)"
_STREET = re.compile(rf"(?<![\w.,$%#-])[0-9]{{2,5}}\s{_DIRECTION}(?:{_NAME}\s){{1,3}}{_KIND}\b")
# Seats of governments are not where somebody lives.
_PUBLIC = re.compile(r"(?:10|11) Downing St|1600 Penn")
_SOCIAL_SECURITY = re.compile(r"(?<![\w-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-])")
_CARD = re.compile(r"(?<![\w.,-])[3-6][0-9]{3}(?:[ -]?[0-9]{4}){2}[ -]?[0-9]{3,4}(?![\w-])")


def personal_data(text: str) -> str:
    """Return which personal data the normalised `text` holds, in words; "" if none is seen."""
    for what, _ in _hits(text):
        return what
    return ""


def hide_personal_data(text: str) -> str:
    """Return the normalised `text` with each piece of personal data replaced by what it is, in brackets."""
    for what, piece in list(_hits(text)):
        text = text.replace(piece, f"[{what}]")
    return text


def _hits(text: str) -> Iterator[tuple[str, str]]:
    if "@" in text and _EMAIL.search(text):
        yield from (("e-mail address", match[0]) for match in _WHOLE_EMAIL.finditer(text))
    if not _MAYBE.search(text):
        return
    for what, expression, accept in _NUMBERS:
        yield from ((what, match[0]) for match in expression.finditer(text) if accept(match[0]))


def _is_phone_number(text: str) -> bool:
    return any(phonenumbers.PhoneNumberMatcher(text, region).has_next() for region in _REGIONS)


def _is_card_number(text: str) -> bool:
    """Check the last digit by Luhn's rule (ISO/IEC 7812-1)."""
    digits = [int(char) for char in reversed(text) if char.isdecimal()]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


_NUMBERS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("phone number", _NUMBER, _is_phone_number),
    ("social security number", _SOCIAL_SECURITY, bool),
    ("card number", _CARD, _is_card_number),
    ("street address", _STREET, lambda text: not _PUBLIC.match(text)),
)
