from django.apps import AppConfig


class GenerationConfig(AppConfig):
    name = "generation"

    def ready(self) -> None:
        from game.live.topics import register_topic
        from game.pool.signals import tweets_erased
        from generation.samples import forget_samples
        from generation.topics import GenerationTopic

        register_topic(GenerationTopic())
        tweets_erased.connect(forget_samples, dispatch_uid="generation.samples")
