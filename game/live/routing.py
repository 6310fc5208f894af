"""Websocket routes."""

from django.urls import path

from game.live.consumers import LiveConsumer

websocket_urlpatterns = [path("live/<slug:topic>/<slug:key>/", LiveConsumer.as_asgi())]
