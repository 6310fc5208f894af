from django.apps import AppConfig


class ClassroomConfig(AppConfig):
    name = "game.classroom"
    label = "classroom"
