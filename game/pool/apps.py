from django.apps import AppConfig


class PoolConfig(AppConfig):
    name = "game.pool"
    label = "pool"
