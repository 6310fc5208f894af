"""Moderation by the clock: what came is looked through, a little at a time."""

import time

from celery import shared_task
from django.utils import timezone

from game.moderation import flags, leases

# Others wait in the same queue.
SECONDS, CHUNK = 0.5, 200


@shared_task
def look_through_new_tweets() -> None:
    flags.flag_easy_tweets()
    leases.drop_old_leases(now=timezone.now())
    end = time.monotonic() + SECONDS
    while flags.flag_new_tweets(limit=CHUNK) and time.monotonic() < end:
        pass
