"""Telling rooms that something changed."""

import asyncio
import logging
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from game.live.groups import room_group

logger = logging.getLogger(__name__)

# A room that changes with every guess of a busy minute is told ten times a second, not each time.
MOMENT_SECONDS = 0.1
# Per event loop: the rooms told within the last moment, and whether they have changed since.
_told: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, bool]] = WeakKeyDictionary()
_late: set[asyncio.Task[None]] = set()


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
    for key in keys:
        await _tell(room_group(topic, key))


async def _tell(group: str) -> None:
    """Tell a room at once; a room told a moment ago is told once more when that moment is over."""
    told = _told.setdefault(asyncio.get_running_loop(), {})
    if group in told:
        told[group] = True
        return
    told[group] = False
    asyncio.get_running_loop().call_later(MOMENT_SECONDS, _end_moment, group)
    await get_channel_layer().group_send(group, {"type": "news"})


def _end_moment(group: str) -> None:
    if _told[asyncio.get_running_loop()].pop(group):
        task = asyncio.create_task(_tell_late(group))
        _late.add(task)  # or the task may be collected half done
        task.add_done_callback(_late.discard)


async def _tell_late(group: str) -> None:
    try:
        await _tell(group)
    except (RedisError, OSError) as error:
        logger.warning("No news of %s: Redis is away (%s).", group, error)
