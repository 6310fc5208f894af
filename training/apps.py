from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "training"

    def ready(self) -> None:
        from game.live.topics import register_topic
        from training.topics import TrainingTopic

        register_topic(TrainingTopic())
