"""What classes are compared with: plain Channels, every consumer in the group, and a bare insert for each answer."""

import json
from typing import Any

from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from game.classroom.host_selectors import find_own_session
from game.classroom.rules import Action
from game.classroom.services import act
from game.guards import only_with, signed_in
from game.limits import limited

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


@only_with("classroom.hold_class", home="classroom:index")
@require_POST
@limited("RATE_CLASS")
def announce(request: HttpRequest, code: str) -> HttpResponse:
    """Move a class on as its host does, and send everybody in the group what was posted."""
    session = find_own_session(code=code, teacher=signed_in(request))
    with transaction.atomic():
        transaction.on_commit(lambda: async_to_sync(get_channel_layer().group_send)(GROUP, {"type": "news", "text": request.POST["text"]}))
        action, version = Action(request.POST["action"]), int(request.POST["version"])
        moved = session and act(session_id=session.pk, action=action, version=version, now=timezone.now())
    return HttpResponse(status=204 if moved else 409)
