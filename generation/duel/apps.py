from django.apps import AppConfig


class DuelConfig(AppConfig):
    name = "generation.duel"
    label = "duel"

    def ready(self) -> None:
        from game.live.topics import register_topic
        from generation.duel.columns import hand_back
        from generation.duel.models import Column
        from generation.duel.topics import DuelTopic
        from generation.queues import register_queue
        from generation.signals import worker_stops

        register_topic(DuelTopic())
        register_queue("Duel", Column)
        worker_stops.connect(hand_back, dispatch_uid="duel.columns")
