"""Who plays."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now, Upper


class Player(models.Model):
    """Somebody who plays: a guest known by a signed cookie, or an account."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="player")
    name = models.CharField(max_length=40)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        # "Is this name taken", whatever its case.
        indexes = [models.Index(Upper("name"), name="player_name")]

    def __str__(self) -> str:
        return self.name
