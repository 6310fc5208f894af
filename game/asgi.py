"""The ASGI application: HTTP by Django, websockets by Channels."""

import gc
import os
from importlib import import_module

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "game.settings")
# For this process alone, and before the settings are read: see DB_POOL_SIZE there.
pool_chosen = "DB_POOL_SIZE" in os.environ
os.environ.setdefault("DB_POOL_SIZE", "8")
http = get_asgi_application()
if not pool_chosen:
    del os.environ["DB_POOL_SIZE"]

# Consumers need the apps that the line above has loaded.
from game import celery_app  # noqa: E402
from game.live.routing import websocket_urlpatterns  # noqa: E402

# Whoever asks something must not wait for a Redis that hangs or is away: what could not be sent, the clock sends. Workers wait as long
# as it takes.
celery_app.conf.broker_transport_options |= {"socket_timeout": 5, "socket_connect_timeout": 5, "max_retries": 1, "interval_start": 0}

application = ProtocolTypeRouter({"http": http, "websocket": AllowedHostsOriginValidator(URLRouter(websocket_urlpatterns))})

# All views, now instead of with the first request; and what was imported stays for good. The collector goes through the rest
# alone: through everything it took up to 170 ms, in which nobody is served.
import_module(settings.ROOT_URLCONF)
gc.collect()
gc.freeze()
