"""Websocket routes."""

from django.urls import path, re_path

from game.live.consumers import LiveConsumer

websocket_urlpatterns = [
    path("live/<slug:topic>/<slug:key>/", LiveConsumer.as_asgi()),
    # Any other path is told by a close code too, not by an error of the server.
    re_path(r"", LiveConsumer.as_asgi()),
]
