from django.apps import AppConfig


class DuelConfig(AppConfig):
    name = "generation.duel"
    label = "duel"

    def ready(self) -> None:
        from game.live.topics import register_topic
        from generation.duel.topics import DuelTopic

        register_topic(DuelTopic())
