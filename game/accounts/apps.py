from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "game.accounts"
    label = "accounts"

    def ready(self) -> None:
        from game.accounts.roles import ROLES, sync_roles

        # After each app's own permissions exist, which Django makes on the same signal.
        for app in {name.partition(".")[0] for permissions in ROLES.values() for name in permissions}:
            post_migrate.connect(sync_roles, sender=apps.get_app_config(app), dispatch_uid=f"accounts.roles.{app}")
