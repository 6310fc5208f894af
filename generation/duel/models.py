"""What was asked of all models at once, and what each answered."""

import secrets

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from game.accounts.models import Player
from game.pool.models import Tweet
from generation.models import ModelVersion


def new_token() -> str:
    """Return 22 random URL-safe characters (128 bits)."""
    return secrets.token_urlsafe(16)


class Prompt(models.Model):
    """The beginning of a tweet that somebody typed; whoever types the same gets the same answers."""

    class Status(models.TextChoices):
        PENDING = "pending"
        APPROVED = "approved"
        REJECTED = "rejected"

    token = models.CharField(max_length=22, unique=True, default=new_token)
    text = models.CharField(max_length=100, help_text="As it was first typed.")
    key = models.CharField(max_length=200, unique=True, help_text="The text, case and space folded.")
    status = models.CharField(max_length=8, choices=Status, default=Status.PENDING, help_text="An approved one is offered to others.")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    visits = models.PositiveIntegerField(default=0)
    closed_until = models.DateTimeField(null=True, blank=True, help_text="A class guesses which texts are its answers.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        permissions = [("moderate_duel", "Can approve prompts and hide completions")]
        indexes = [
            models.Index(fields=["-visits"], condition=models.Q(status="approved"), name="prompt_popular"),
            models.Index(
                fields=["key"], opclasses=["varchar_pattern_ops"], condition=models.Q(status="approved"), name="prompt_by_beginning"
            ),
            models.Index(fields=["-id"], condition=models.Q(status="pending"), name="prompt_to_decide"),
        ]

    def __str__(self) -> str:
        return self.text

    @property
    def is_closed(self) -> bool:
        """Say whether a class guesses which texts are its answers, so that no page may tell."""
        return self.closed_until is not None and self.closed_until > timezone.now()

    @property
    def is_withheld(self) -> bool:
        """Say whether no page shows its answers."""
        return self.status == self.Status.REJECTED or self.is_closed


class Column(models.Model):
    """One model's answer to a prompt: a job until it is done."""

    class State(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="columns", db_index=False)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="columns")
    state = models.CharField(max_length=7, choices=State, default=State.PENDING)
    tries = models.PositiveSmallIntegerField(default=0)
    claimed_by = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(help_text="When a running one counts as abandoned, and a pending one as lost on its way.")
    made = models.PositiveIntegerField(default=0)
    dropped = models.JSONField(default=dict, blank=True, help_text="How many samples were dropped, by reason.")
    error = models.TextField(blank=True)
    worker = models.CharField(max_length=120, blank=True, help_text="Who claimed it last: the name of a generation.Worker.")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prompt", "model_version"], name="column_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["done", "failed"], finished_at__isnull=False)
                | models.Q(state__in=["pending", "running"], finished_at__isnull=True),
                name="column_finished_when_done_or_failed",
            ),
        ]
        indexes = [models.Index(fields=["lease_until"], condition=models.Q(state__in=["pending", "running"]), name="column_unfinished")]


class Completion(models.Model):
    """One text that a model wrote to a prompt."""

    token = models.CharField(max_length=22, unique=True, default=new_token)
    column = models.ForeignKey(Column, on_delete=models.CASCADE, related_name="completions", db_index=False)
    place = models.PositiveSmallIntegerField(help_text="The best is 0.")
    text = models.TextField(help_text="The prompt included.")
    compound = models.FloatField(null=True, help_text="VADER's compound score, from -1 to 1; none in a language that it does not know.")
    mood = models.CharField(max_length=8, blank=True, help_text="A generation.duel.rules.Mood.")
    unfit = models.CharField(max_length=40, blank=True, help_text="Why the pool would not take it: a generation.rules.Drop.")
    hidden = models.BooleanField(default=False, help_text="By a moderator, or by reports until one has looked.")
    tweet = models.ForeignKey(Tweet, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", help_text="In the pool's queue.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["place"]
        constraints = [models.UniqueConstraint(fields=["column", "place"], name="completion_once_per_place")]


class CompletionReport(models.Model):
    """Somebody found a completion unfit to be shown."""

    completion = models.ForeignKey(Completion, on_delete=models.CASCADE, related_name="reports", db_index=False)
    player = models.ForeignKey(Player, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=20)
    at = models.DateTimeField(db_default=Now())
    settled = models.BooleanField(default=False, help_text="A moderator has looked.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["completion", "player"], name="report_once_per_completion_and_player")]
