from django.apps import AppConfig


class ModerationConfig(AppConfig):
    name = "game.moderation"

    def ready(self) -> None:
        from game.moderation.flags import forget_words
        from game.pool.signals import tweets_erased

        tweets_erased.connect(forget_words, dispatch_uid="moderation.words")
