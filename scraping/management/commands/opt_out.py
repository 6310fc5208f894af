from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from scraping.optouts import OptOutError, lift_opt_out, opt_out, tidy_handle
from scraping.rules import PLATFORMS


class Command(BaseCommand):
    help = "Take a person out of the game for good: their tweets are erased, and never scraped or imported again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", metavar="PLATFORM:HANDLE", help="as in twitter:ada_owl or mastodon:ada@owls.example")
        parser.add_argument("--reason", default="", help="written down with it")
        parser.add_argument("--lift", action="store_true", help="let them be scraped and imported again; what was erased stays so")

    def handle(self, *args: Any, **options: Any) -> None:
        platform, colon, handle = options["account"].partition(":")
        handle = tidy_handle(handle)
        if not colon or not handle:
            raise CommandError(f"{options['account']!r} names no account: write it as in twitter:ada_owl.")
        # Lists of handles name the source, and people remember that.
        platform = PLATFORMS.get(platform, platform)
        if options["lift"]:
            if not lift_opt_out(platform=platform, handle=handle, by=None):
                raise CommandError(f"{handle} on {platform} has not opted out.")
            self.stdout.write(f"{handle} on {platform} may be scraped and imported again.")
            return
        try:
            erased = opt_out(platform=platform, handle=handle, by=None, reason=options["reason"])
        except OptOutError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{handle} on {platform} is out for good: {erased:,} tweet{'' if erased == 1 else 's'} erased.")
        if erased:
            self.stdout.write("`manage.py stale_models` lists the models that learned from them; training again replaces those.")
