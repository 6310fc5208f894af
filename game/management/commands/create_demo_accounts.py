"""Create the accounts of a fresh installation."""

import os
from typing import Any

from django.core.management.base import BaseCommand

from game.accounts.services import create_demo_accounts


class Command(BaseCommand):
    help = "Create the accounts teacher and moderator where missing, and print their passwords: this once. DEMO_PASSWORD sets them."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, password in create_demo_accounts(password=os.environ.get("DEMO_PASSWORD")).items():
            self.stdout.write(f"Account {name}, password {password}")
