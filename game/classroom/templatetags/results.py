"""Figures of a class as they are printed and drawn."""

from datetime import timedelta

from django import template

register = template.Library()

# The ends of the line on which d' is drawn; what lies beyond is drawn at its end.
D_PRIME_FROM, D_PRIME_TO = -1.0, 4.0


@register.filter
def decimal(value: float, digits: int = 1) -> str:
    """Return a number with a minus sign that is as wide as a plus; nought has none."""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


@register.filter
def seconds(time: timedelta | None) -> str:
    """Return a time as seconds; a dash where none was measured."""
    return "\N{EN DASH}" if time is None else f"{time.total_seconds():.1f} s"


@register.filter
def d_prime_place(value: float) -> float:
    """Return where a d' lies on its line: 0 is the beginning, 1 the end."""
    return min(1.0, max(0.0, (value - D_PRIME_FROM) / (D_PRIME_TO - D_PRIME_FROM)))
