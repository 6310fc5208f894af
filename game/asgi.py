"""The ASGI application: HTTP by Django, websockets by Channels."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "game.settings")
# Before the settings are read: see DB_POOL_SIZE there.
os.environ.setdefault("DB_POOL_SIZE", "8")

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

http = get_asgi_application()

from game.live.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter({"http": http, "websocket": AllowedHostsOriginValidator(URLRouter(websocket_urlpatterns))})
