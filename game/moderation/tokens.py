"""What the queue's pages call a tweet: its id would tell when it came, and so with whom, people or a bot."""

import base64
import functools
import hashlib

from django.conf import settings

_HALF = 4
_ROUNDS = 4
LENGTH = 13


class BadToken(ValueError):
    """No tweet was ever called that."""


def tweet_token(tweet_id: int) -> str:
    """Return 13 letters and digits that stand for the id: a Feistel network of four rounds (Luby and Rackoff 1988), keyed by SECRET_KEY."""
    left, right = divmod(tweet_id, 1 << 8 * _HALF)
    for turn in range(_ROUNDS):
        left, right = right, left ^ _scramble(turn, right)
    return base64.b32encode((left << 8 * _HALF | right).to_bytes(2 * _HALF)).decode().rstrip("=").lower()


def tweet_id_of(token: str) -> int:
    """Return the id that `token` stands for; raise BadToken for what stands for none."""
    try:
        number = int.from_bytes(base64.b32decode(token.upper() + "==="))
    except ValueError as error:
        raise BadToken(token) from error
    left, right = divmod(number, 1 << 8 * _HALF)
    for turn in reversed(range(_ROUNDS)):
        left, right = right ^ _scramble(turn, left), left
    tweet_id = left << 8 * _HALF | right
    # Any 13 letters decode to something; ids are far smaller than what chance hits.
    if len(token) != LENGTH or tweet_id >= 1 << 48 or tweet_token(tweet_id) != token:
        raise BadToken(token)
    return tweet_id


def _scramble(turn: int, half: int) -> int:
    digest = hashlib.blake2b(half.to_bytes(_HALF), key=_key(), salt=bytes([turn]), digest_size=_HALF).digest()
    return int.from_bytes(digest)


@functools.cache
def _key() -> bytes:
    return hashlib.sha256(b"tweets of the queue" + settings.SECRET_KEY.encode()).digest()
