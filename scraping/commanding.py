"""What the commands of this app have in common: reading what people typed."""

import re
import signal
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation

from django.core.management.base import CommandError

from game.pool.models import Category
from game.pool.rules import LANGUAGES

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def check_slug(slug: str) -> None:
    """Raise CommandError for what can't be the slug of a category."""
    longest = Category._meta.get_field("slug").max_length or 0
    if not SLUG.fullmatch(slug) or len(slug) > longest:
        raise CommandError(f"{slug!r} can't be a category: use small letters, digits and hyphens, {longest} at most, as in donald-trump.")


def get_category(slug: str, language: str | None, *, active: bool = True) -> Category:
    """Return the category of that slug, made if it does not exist, shown to players or not; raises CommandError, with nothing made."""
    check_slug(slug)
    if language and language not in LANGUAGES:
        raise CommandError(f"{language!r} is no language that can be told from others: use an ISO 639-1 code such as en, de or pt.")
    name = slug.replace("-", " ").title()
    category, _ = Category.objects.get_or_create(slug=slug, defaults={"name": name, "language": language or "en", "active": active})
    if language and category.language != language:
        raise CommandError(f"The category {slug} is in {category.language!r} already: leave --language out.")
    return category


def whole(text: str) -> int:
    """Return a whole number above 0."""
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise ArgumentTypeError(f"{text[:40]!r} is no whole number above 0")
    return int(text)


def dollars(text: str) -> Decimal:
    """Return an amount of dollars above 0, in thousandths."""
    try:
        amount = Decimal(text.removeprefix("$"))
        amount = amount.quantize(Decimal("0.001")) if amount.is_finite() else Decimal(0)
    except InvalidOperation:
        amount = Decimal(0)
    if not 0 < amount < 1_000_000:
        raise ArgumentTypeError(f"{text[:40]!r} is no amount of dollars above 0")
    return amount


@contextmanager
def end_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM end what goes on as Ctrl-C does: with everything written down."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
