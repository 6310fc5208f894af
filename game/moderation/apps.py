from django.apps import AppConfig


class ModerationConfig(AppConfig):
    name = "game.moderation"

    def ready(self) -> None:
        from game.accounts.signals import guest_became_player
        from game.moderation.flags import forget_words
        from game.moderation.reports import move_reports
        from game.pool.signals import tweets_erased

        tweets_erased.connect(forget_words, dispatch_uid="moderation.words")
        guest_became_player.connect(move_reports, dispatch_uid="moderation.reports")
