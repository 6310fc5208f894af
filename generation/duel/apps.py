from django.apps import AppConfig


class DuelConfig(AppConfig):
    name = "generation.duel"
    label = "duel"
