"""Telling rooms that something changed."""

import logging
from collections.abc import Iterable

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from game.live.groups import room_group

logger = logging.getLogger(__name__)


def announce(*, topic: str, keys: Iterable[str]) -> None:
    """Tell every process that these rooms changed; the hubs there fetch and render by themselves.

    News is not truth: with Redis away the change itself stands, and watchers see it when the
    hub next looks (game.live.hub.CATCH_UP_SECONDS).
    """
    try:
        async_to_sync(_send)(topic, tuple(keys))
    except (RedisError, OSError) as error:
        logger.warning("No news of %s: Redis is away (%s).", topic, error)


async def _send(topic: str, keys: tuple[str, ...]) -> None:
    layer = get_channel_layer()
    for key in keys:
        await layer.group_send(room_group(topic, key), {"type": "news"})
