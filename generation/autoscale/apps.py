from django.apps import AppConfig


class AutoscaleConfig(AppConfig):
    name = "generation.autoscale"
