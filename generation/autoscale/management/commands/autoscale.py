import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from generation.autoscale.drivers import load_driver
from generation.autoscale.loop import TROUBLE, Autoscaler, Taken, describe


class Command(BaseCommand):
    help = "Start the machine of the generation worker when work waits, and stop it when it was idle; Ctrl-C leaves it as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="look once, do what is due, and end")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and leave the machine alone")

    def handle(self, *args: Any, **options: Any) -> None:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        autoscaler = None
        try:
            autoscaler = Autoscaler(driver=load_driver(), say=self._say, dry_run=options["dry_run"])
            if options["once"]:
                autoscaler.look()
            else:
                autoscaler.run()
        except (Taken, *TROUBLE) as error:
            raise CommandError(describe(error)) from error
        except KeyboardInterrupt:
            self._say("Ended. The machine stays as it is: nobody stops it any more.")
        finally:
            signal.signal(signal.SIGTERM, before)
            if autoscaler:
                autoscaler.close()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
