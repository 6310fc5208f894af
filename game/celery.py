"""The Celery application: `celery -A game worker -Q clock,duel,generation`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "game.settings")

app = Celery("game")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
