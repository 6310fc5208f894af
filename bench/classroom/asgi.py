"""The game's server, and on it what its classes are compared with."""

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path

from game.asgi import http

# Consumers need the apps that the line above has loaded.
from bench.classroom.floor import Floor  # isort: skip
from game.live.routing import websocket_urlpatterns  # isort: skip

application = ProtocolTypeRouter(
    {"http": http, "websocket": AllowedHostsOriginValidator(URLRouter([path("bench/floor/", Floor.as_asgi()), *websocket_urlpatterns]))}
)
