"""What classes are compared with: plain Channels, every consumer in the group, and a bare insert for each answer."""

import json
from typing import Any

from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

GROUP = "bench.floor"
KEPT = "kept"


class Floor(AsyncWebsocketConsumer):
    """A consumer as Channels' tutorial has it; an answer is one insert and one reply."""

    groups = [GROUP]

    async def news(self, event: dict[str, Any]) -> None:
        """Pass on what was sent to the group."""
        await self.send(text_data=event["text"])

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Store an answer."""
        answer = json.loads(text_data or "")
        await _store(answer["card"], answer["verdict"])
        await self.send(text_data=KEPT)


@database_sync_to_async
def _store(card: str, verdict: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bench_answer (card, verdict) VALUES (%s, %s)", [card, verdict])


@require_POST
def announce(request: HttpRequest) -> HttpResponse:
    """Send everybody in the group what was posted."""
    async_to_sync(get_channel_layer().group_send)(GROUP, {"type": "news", "text": request.POST["text"]})
    return HttpResponse(status=204)
