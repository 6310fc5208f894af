"""Classes by the clock: what is due moves on, what is old goes."""

from celery import shared_task
from django.utils import timezone

from game.classroom import deletion, services
from game.classroom.rules import Action


@shared_task
def expire(session_id: int, version: int) -> None:
    services.act(session_id=session_id, action=Action.EXPIRE, version=version, now=timezone.now())


@shared_task
def move_on_what_is_due() -> None:
    services.move_on_what_is_due(now=timezone.now())


@shared_task
def delete_old_classes() -> None:
    deletion.delete_old(now=timezone.now())
