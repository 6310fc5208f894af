import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from game.moderation.takedowns import LONGEST_REASON, Preview, Refused, preview, receipt_lines, take_down
from game.moderation.targets import BadTarget, Target, find_author, find_link, find_tweet


class Command(BaseCommand):
    help = "Take tweets out of everything because somebody asked: by number, by author, or by an address. Prints a receipt for each."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--tweet", nargs="+", metavar="ID", help="numbers of tweets, as their histories and the log call them")
        what.add_argument("--author", metavar="PLATFORM:HANDLE", help="as in twitter:ada_owl; is kept out for good")
        what.add_argument("--link", metavar="URL", help="of the post at its platform, or of a card or completion here")
        parser.add_argument("--reason", required=True, help="stands on the receipt")
        parser.add_argument("--yes", action="store_true", help="do it without asking")
        parser.add_argument("--dry-run", action="store_true", help="only say what that would do")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["reason"].strip():
            raise CommandError("--reason is empty: say why, it stands on the receipt.")
        if len(options["reason"]) > LONGEST_REASON:
            raise CommandError(f"--reason is longer than {LONGEST_REASON} characters: say it shorter, it stands on the receipt.")
        # All of them, before anything is done with one.
        try:
            targets = self._read(options)
        except BadTarget as error:
            raise CommandError(str(error)) from error
        ahead = [preview(target) for target in targets]
        for each in ahead:
            self.stdout.write(_in_words(each))
        to_do = [each.target for each in ahead if not each.done]
        if options["dry_run"] or not to_do:
            return
        if not options["yes"] and not self._is_agreed():
            raise CommandError("Nothing was done.")
        for target in to_do:
            try:
                takedown = take_down(target=target, by=None, reason=options["reason"], now=timezone.now())
            except Refused as error:
                # A copy of one before it, or done by somebody else meanwhile.
                self.stdout.write(f"{target.name}: {error}")
                continue
            self.stdout.write("")
            for name, value in receipt_lines(takedown):
                self.stdout.write(f"{name + ':':<30}{value}")

    def _read(self, options: dict[str, Any]) -> list[Target]:
        if options["tweet"]:
            if wrong := [text for text in options["tweet"] if not (text.isascii() and text.isdecimal()) or len(text) > 18]:
                raise BadTarget(f"{wrong[0][:40]!r} is no number of a tweet.")
            return [find_tweet(pk) for pk in dict.fromkeys(map(int, options["tweet"]))]
        if options["author"]:
            platform, colon, handle = options["author"].partition(":")
            if not colon or not handle.strip("@ "):
                raise BadTarget(f"{options['author'][:60]!r} names no account: write it as in twitter:ada_owl.")
            return [find_author(platform, handle)]
        return [find_link(options["link"])]

    def _is_agreed(self) -> bool:
        if not sys.stdin.isatty():
            raise CommandError("Nothing was done: say --yes to do it, there is nobody to ask.")
        return input("Take that down for good? Type yes: ").strip().casefold() == "yes"


def _in_words(ahead: Preview) -> str:
    if ahead.done:
        return f"{ahead.target.name}: {ahead.done}"
    where = ", ".join(f"{count} in {slug}" for slug, count in ahead.categories.items())
    parts = [
        f"{ahead.tweets} tweet{'' if ahead.tweets == 1 else 's'}" + (f" ({where})" if where else ""),
        f"{ahead.cards} open card{'' if ahead.cards == 1 else 's'}",
        f"{ahead.completions} completion{'' if ahead.completions == 1 else 's'}",
        f"learned by {', '.join(ahead.models) or 'no model'}",
    ]
    return f"{ahead.target.name}: {'; '.join(parts)}."
