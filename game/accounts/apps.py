from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "game.accounts"
    label = "accounts"
