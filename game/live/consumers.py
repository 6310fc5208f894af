"""The one consumer: it connects, asks the topic who may, and hands the socket to the hub. See docs/protocol.md."""

from channels.generic.websocket import AsyncWebsocketConsumer

from game.live.hub import Close, current_hub
from game.live.topics import Topic, find_topic


class LiveConsumer(AsyncWebsocketConsumer):
    """A browser that watches one room. Who may is the topic's to say."""

    # No channel of its own: the hub holds one per room.
    channel_layer_alias = None
    topic: Topic | None = None
    key = ""

    async def connect(self) -> None:
        route = self.scope["url_route"]["kwargs"]
        topic = find_topic(route.get("topic", ""))
        await self.accept()
        if topic is None:
            await self.close(Close.NOT_FOUND)
        elif not await topic.may_join(self.scope, route["key"]):
            await self.close(Close.REFUSED)
        else:
            self.topic, self.key = topic, route["key"]
            await current_hub().join(self, topic, self.key)

    async def disconnect(self, code: int) -> None:
        if self.topic:
            await current_hub().leave(self, self.topic, self.key)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.close(Close.UNEXPECTED_FRAME)

    async def send_frame(self, frame: str) -> None:
        await self.send(text_data=frame)

    async def cut_off(self, code: Close) -> None:
        await self.close(code)
