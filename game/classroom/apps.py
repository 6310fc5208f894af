from django.apps import AppConfig


class ClassroomConfig(AppConfig):
    name = "game.classroom"
    label = "classroom"

    def ready(self) -> None:
        from game.classroom import frames, services
        from game.classroom.topics import ClassTopic, TeacherTopic
        from game.live.topics import register_topic

        register_topic(ClassTopic())
        register_topic(TeacherTopic(services.HOST, lambda session: frames.host_frames(session=session)))
        register_topic(TeacherTopic(services.PRESENTER, lambda session: frames.presenter_frames(session=session)))
