"""Websocket routes."""

from django.urls import path, re_path

from game.live.consumers import serve

websocket_urlpatterns = [
    path("live/<slug:topic>/<slug:key>/", serve),  # type: ignore[arg-type]
    # Any other path is told by a close code too, not by an error of the server.
    re_path(r"", serve),  # type: ignore[arg-type]
]
