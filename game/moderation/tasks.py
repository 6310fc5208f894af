"""Moderation by the clock: what came is looked through, a little at a time."""

from celery import shared_task
from django.utils import timezone

from game.moderation import flags, leases

# Under a second's work: others wait in the same queue.
CHUNK = 200


@shared_task
def look_through_new_tweets() -> None:
    flags.flag_easy_tweets()
    flags.flag_new_tweets(limit=CHUNK)
    leases.drop_old_leases(now=timezone.now())
