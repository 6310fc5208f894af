"""Training runs, and what is known of them while they go on."""

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from game.pool.models import Category
from generation.models import ModelVersion


class TrainingRun(models.Model):
    """One way from a category's tweets to a candidate model. Its files are in `folder`; this row says how far it is."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="training_runs")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="Nobody: a command."
    )
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    stage = models.CharField(max_length=20, blank=True, help_text="What it is at, or what it ended at.")
    base = models.CharField(max_length=400, help_text="`starter`, a name on the hub, or a folder.")
    recipe = models.JSONField(default=dict, blank=True, help_text="The knobs that differ from their defaults.")
    folder = models.CharField(max_length=200, help_text="Relative to VAR.")
    device = models.CharField(max_length=120, blank=True, help_text="Which machine and device it runs on, or ran last.")
    promote = models.BooleanField(default=False, help_text="Promote the model if it beats the active one.")
    claimed_by = models.UUIDField(null=True, blank=True, help_text="The last claim; only its holder may write.")
    lease_until = models.DateTimeField(
        help_text="When a running one counts as abandoned, and a waiting one as lost on its way to a worker."
    )
    tries = models.PositiveSmallIntegerField(default=0, help_text="Claims whose worker died; one that was stopped gives its claim back.")
    cancel_asked_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, help_text="What it ended of, in one line.")
    note = models.TextField(blank=True, help_text="What else is worth knowing, a line each: halved batches, why it was promoted or not.")
    steps = models.PositiveIntegerField(default=0, help_text="Of fine-tuning, planned; an early stop may need fewer.")
    step = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0.0, help_text="That fine-tuning took so far, interruptions left out.")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="training_runs")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("train_model", "Can train, promote and retire models")]
        constraints = [
            models.UniqueConstraint(fields=["device"], condition=models.Q(state="running"), name="one_running_training_per_device"),
            models.CheckConstraint(
                condition=models.Q(state__in=["waiting", "running"], finished_at__isnull=True)
                | models.Q(state__in=["done", "failed", "cancelled"], finished_at__isnull=False),
                name="training_finished_when_over",
            ),
            models.CheckConstraint(condition=models.Q(state="done") | models.Q(model_version=None), name="training_has_a_model_when_done"),
        ]
        indexes = [
            models.Index(fields=["lease_until"], condition=models.Q(state__in=["waiting", "running"]), name="training_unfinished"),
        ]

    def __str__(self) -> str:
        return f"training {self.pk} of {self.category.slug}"

    @property
    def path(self) -> Path:
        """The folder of the run's files."""
        return Path(settings.VAR_DIR) / self.folder


class TrainingPoint(models.Model):
    """A point of the loss curve, in nats a token."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="points")
    step = models.PositiveIntegerField()
    train_loss = models.FloatField(null=True, blank=True)
    held_back_loss = models.FloatField(null=True, blank=True)
    seconds = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "step"], name="training_point_once")]


class TrainingSample(models.Model):
    """What the model wrote at a check: for the eye alone, never for the pool."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="samples")
    step = models.PositiveIntegerField()
    position = models.PositiveSmallIntegerField()
    text = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "step", "position"], name="training_sample_once")]
