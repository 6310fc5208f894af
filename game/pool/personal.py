"""Personal data in a text: what nobody should find in a game, whether a person let it slip or a model made it up.

How often each is right, and what is let through on purpose: docs/cleaning.md.
"""

import re

import phonenumbers

# All below but addresses of mail have this somewhere. To look for it first is many times faster than the expressions.
_MAYBE = re.compile(r"[0-9][0-9](?:\s[A-Z0-9]|[0-9 ().-]{4,}[0-9])")
_EMAIL = re.compile(r"@(?<=[\w+]@)[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*\.[a-zA-Z]{2,}\b")
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
    """Return which personal data the normalised `text` holds first, in words; "" if none is seen."""
    if "@" in text and _EMAIL.search(text):
        return "e-mail address"
    if not _MAYBE.search(text):
        return ""
    if any(map(_is_phone_number, _NUMBER.finditer(text))):
        return "phone number"
    if _SOCIAL_SECURITY.search(text):
        return "social security number"
    if any(_is_card_number(match[0]) for match in _CARD.finditer(text)):
        return "card number"
    if any(not _PUBLIC.match(match[0]) for match in _STREET.finditer(text)):
        return "street address"
    return ""


def _is_phone_number(match: re.Match[str]) -> bool:
    return any(phonenumbers.PhoneNumberMatcher(match[0], region).has_next() for region in _REGIONS)


def _is_card_number(text: str) -> bool:
    """Check the last digit by Luhn's rule (ISO/IEC 7812-1)."""
    digits = [int(char) for char in reversed(text) if char.isdecimal()]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0
