from django.apps import AppConfig


class ClassroomConfig(AppConfig):
    name = "game.classroom"
    label = "classroom"

    def ready(self) -> None:
        from game.accounts.signals import guest_became_player
        from game.classroom import frames, services
        from game.classroom.challenge import merge_challenges
        from game.classroom.topics import ClassTopic, TeacherTopic
        from game.live.topics import register_topic

        register_topic(ClassTopic())
        register_topic(TeacherTopic(services.HOST, lambda session: frames.host_frames(session=session)))
        register_topic(TeacherTopic(services.PRESENTER, lambda session: frames.presenter_frames(session=session)))
        guest_became_player.connect(
            lambda sender, guest, player, **kwargs: merge_challenges(guest=guest, player=player), weak=False, dispatch_uid="classroom.merge"
        )
