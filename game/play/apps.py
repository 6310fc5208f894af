from django.apps import AppConfig


class PlayConfig(AppConfig):
    name = "game.play"
    label = "play"
