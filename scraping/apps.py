from django.apps import AppConfig


class ScrapingConfig(AppConfig):
    name = "scraping"

    def ready(self) -> None:
        from game.live.topics import register_topic
        from scraping.topics import ScrapingTopic

        register_topic(ScrapingTopic())
