from django.apps import AppConfig


class PlayConfig(AppConfig):
    name = "game.play"
    label = "play"

    def ready(self) -> None:
        from game.accounts.signals import guest_became_player, player_renamed
        from game.live.topics import register_topic
        from game.play.services import announce_boards_of, merge_players
        from game.play.topics import LeaderboardTopic

        register_topic(LeaderboardTopic())
        guest_became_player.connect(
            lambda sender, guest, player, **kwargs: merge_players(guest=guest, player=player), weak=False, dispatch_uid="play.merge"
        )
        player_renamed.connect(lambda sender, player, **kwargs: announce_boards_of(player=player), weak=False, dispatch_uid="play.renamed")
