from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "game.live"
    label = "live"
