from django.apps import AppConfig


class DuelConfig(AppConfig):
    name = "generation.duel"
    label = "duel"

    def ready(self) -> None:
        from game.live.topics import register_topic
        from generation.duel.models import Column
        from generation.duel.topics import DuelTopic
        from generation.queues import register_queue

        register_topic(DuelTopic())
        register_queue("Duel", Column)
