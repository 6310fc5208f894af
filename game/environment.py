"""Read settings from the environment; refuse what makes no sense in one line that names the variable and what to use.

An empty value counts as none, as `docker compose` passes on what nobody has set. Every reader raises ImproperlyConfigured.
"""

import logging
import math
import os
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
import redis.connection
from django.core.exceptions import ImproperlyConfigured

from game.embedded import local_secret

TRUE = {"true", "1", "yes", "on"}
FALSE = {"false", "0", "no", "off"}
# django-ratelimit's own pattern lets 0 through, and anything behind a good beginning.
RATE = re.compile(r"[1-9][0-9]*/([1-9][0-9]*[smhd]?|[smhd])")
HOST = re.compile(r"\*|\.?[\w-]+(\.[\w-]+)*|\[[0-9A-Fa-f:.]+\]")
PROXY_SCHEMES = {"http", "socks5", "socks5h"}
ORIGIN = re.compile(r"https?://[^/\s]+")


def refuse(name: str, value: object, use: str) -> ImproperlyConfigured:
    """Return the error that says what a variable holds and what it should."""
    return ImproperlyConfigured(f"{name} is {str(value)!r}: use {use}.")


def text(name: str, default: str) -> str:
    """Return any text."""
    return os.environ.get(name) or default


def choice(name: str, default: str, *others: str) -> str:
    """Return `default` or one of the others."""
    value = text(name, default)
    if value not in (default, *others):
        raise refuse(name, value, f"{', '.join((default, *others[:-1]))} or {others[-1]}")
    return value


def device(name: str, default: str) -> str:
    """Return what a model runs on: auto, cpu, cuda, or one of several GPUs."""
    value = text(name, default)
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,2})?", value):
        raise refuse(name, value, "auto, cpu, cuda, or one GPU of several, as in cuda:1")
    return value


def flag(name: str, default: bool) -> bool:
    """Return a yes or a no."""
    value = text(name, str(default))
    if value.lower() not in TRUE | FALSE:
        raise refuse(name, value, "true or false")
    return value.lower() in TRUE


def whole(name: str, default: int, *, minimum: int, maximum: int = 1_000_000) -> int:
    """Return a whole number within bounds."""
    value = text(name, str(default))
    if not re.fullmatch(r"-?[0-9]+", value) or not minimum <= int(value) <= maximum:
        raise refuse(name, value, f"a whole number from {minimum} to {maximum}")
    return int(value)


def seconds(name: str, default: float, *, maximum: int) -> float:
    """Return a number above 0, of seconds if not of something else."""
    value = text(name, str(default))
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number <= maximum:
        raise refuse(name, value, f"a number above 0 and up to {maximum}")
    return number


def rate(name: str, default: str) -> str:
    """Return a rate in django-ratelimit's notation."""
    value = text(name, default)
    if not RATE.fullmatch(value):
        raise refuse(name, value, f"a count above 0, a slash, and s, m, h or d, as in {default}")
    return value


def level(name: str, default: str) -> str:
    """Return the name of a logging level."""
    value = text(name, default)
    if value.upper() not in logging.getLevelNamesMapping():
        raise refuse(name, value, "DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return value.upper()


def hosts(name: str, default: str) -> list[str]:
    """Return the names that a site is reached by; an empty list would answer nobody, so it must be meant by leaving the variable out."""
    found = _split(os.environ.get(name, default))
    for host in found or [""]:
        if not HOST.fullmatch(host):
            raise refuse(name, host, f"names without scheme and port, as in {default}")
    return found


def origins(name: str) -> list[str]:
    """Return origins, each with its scheme; none by default."""
    found = _split(text(name, ""))
    for origin in found:
        if not ORIGIN.fullmatch(origin):
            raise refuse(name, origin, "a scheme and a host, as in https://play.example.org")
    return found


def matching(name: str, default: str, pattern: str, *, use: str) -> str:
    """Return a text of a form, which `use` describes to people; `default` may be empty."""
    value = text(name, default)
    if value and not re.fullmatch(pattern, value):
        raise refuse(name, value, use)
    return value


def command(name: str) -> list[str]:
    """Return the words of a command that no shell will read; none by default. No error repeats it: it may hold a password."""
    value = text(name, "")
    try:
        operators = {word for word in shlex.shlex(value, posix=True, punctuation_chars=True) if not word.strip("();<>|&")}
        words = shlex.split(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} has a quotation mark too many: close it.") from None
    if operators:
        found = min(operators)
        raise ImproperlyConfigured(f"{name} has a {found}, which needs a shell: write sh -c '…' around the whole.")
    return words


def address(name: str, default: str) -> str:
    """Return the address of a server, without a slash at its end; `default` may be empty."""
    value = text(name, default)
    if value and not ORIGIN.fullmatch(value.rstrip("/")):
        raise refuse(name, value, f"a scheme and a host, as in {default or 'https://mastodon.example'}")
    return value.rstrip("/")


def proxies(name: str) -> list[str]:
    """Return the addresses of proxies, which may hold passwords and so are never repeated in an error."""
    found = _split(text(name, ""))
    for place, value in enumerate(found, 1):
        try:
            parts = urlsplit(value)
            usable = parts.scheme in PROXY_SCHEMES and parts.hostname and parts.port and parts.path in ("", "/")
        except ValueError:
            usable = False
        if not usable:
            raise ImproperlyConfigured(f"{name}, address {place}: use http://user:password@host:port or socks5://user:password@host:port.")
    return found


def folder(name: str, default: Path) -> Path:
    """Return the absolute path of a folder that exists or can still be made."""
    path = Path(text(name, str(default))).resolve()
    if path.exists() and not path.is_dir():
        raise ImproperlyConfigured(f"{name} is {str(path)!r}, which is a file: use a folder.")
    return path


def secret(name: str, *, kept_in: Path) -> str:
    """Return a secret; without the variable, one that is made once and kept in VAR."""
    try:
        return os.environ.get(name) or local_secret(kept_in)
    except OSError as error:
        raise ImproperlyConfigured(f"VAR is {str(kept_in.parent)!r}: {error.strerror}. Use a folder that you may write to.") from error


def postgres(name: str, default: str) -> dict[str, Any]:
    """Return Django's settings of the PostgreSQL at an address. No part of it is repeated in an error: it holds a password."""
    value = text(name, default)
    try:
        found: dict[str, Any] = environ.Env.db_url_config(value) if urlsplit(value).scheme in ("postgres", "postgresql") else {}
    except ValueError:
        found = {}
    if not found.get("NAME"):
        use = "postgresql://user:password@host/name, with / # ? @ % in a password written as %2F %23 %3F %40 %25"
        raise ImproperlyConfigured(f"{name} is no address of a PostgreSQL database: use {use}.")
    return found


def redis_address(name: str, default: str) -> str:
    """Return the address of a Redis. No part of it is repeated in an error: it may hold a password."""
    value = text(name, default)
    try:
        parsed = redis.connection.parse_url(value)
    except ValueError:
        parsed = {}
    if not {"host", "path"} & parsed.keys():
        raise ImproperlyConfigured(f"{name} is no address of a Redis: use redis://host:6379/0, rediss://… or unix:///path?db=0.")
    return value


def _split(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]
