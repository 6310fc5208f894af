from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "game.accounts"
    label = "accounts"

    def ready(self) -> None:
        from game.accounts.roles import sync_roles

        # After the pool's own permissions exist, which Django makes on the same signal.
        post_migrate.connect(sync_roles, sender=apps.get_app_config("pool"), dispatch_uid="accounts.roles")
