"""Which models write, and what each was asked for."""

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from game.pool.models import Author, Category, Tweet


class Corpus(models.Model):
    """What a model learned from, so that a withdrawn tweet can be found in it; equal ones are one."""

    sha256 = models.CharField(max_length=64, unique=True, help_text="Of its learned.bin.")
    name = models.CharField(max_length=120)
    tweets = models.PositiveIntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "corpora"

    def __str__(self) -> str:
        return self.name


class CorpusEntry(models.Model):
    """A tweet of a corpus, by the mark of its text alone: nobody can read it back."""

    pk = models.CompositePrimaryKey("corpus", "mark")
    corpus = models.ForeignKey(Corpus, on_delete=models.CASCADE, related_name="entries")
    mark = models.BigIntegerField(help_text="The first 8 bytes of its fingerprint, big-endian and signed.")

    class Meta:
        verbose_name_plural = "corpus entries"
        indexes = [models.Index(fields=["mark"], name="corpus_entry_mark")]


class ModelVersion(models.Model):
    """A trained model that is registered as an author of machine tweets."""

    class Backend(models.TextChoices):
        CTRANSLATE2 = "ctranslate2"
        TRANSFORMERS = "transformers"
        HTTP = "http"

    class State(models.TextChoices):
        CANDIDATE = "candidate"
        ACTIVE = "active"
        RETIRED = "retired"

    author = models.OneToOneField(Author, on_delete=models.PROTECT, related_name="model_version")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="model_versions")
    name = models.CharField(max_length=80)
    version = models.PositiveIntegerField()
    path = models.CharField(max_length=400, help_text="Its folder; a shipped model's is relative to the repository.")
    backend = models.CharField(max_length=20, choices=Backend, default=Backend.CTRANSLATE2)
    server = models.CharField(max_length=300, blank=True, help_text="Address of the `http` backend, up to and including /v1.")
    served_as = models.CharField(max_length=200, blank=True, help_text="What that server calls the model.")
    state = models.CharField(max_length=9, choices=State, default=State.CANDIDATE)
    corpus_sha256 = models.CharField(max_length=64)
    corpora = models.ManyToManyField(Corpus, related_name="model_versions", blank=True, help_text="Its own train split, and its base's.")
    recipe = models.JSONField(default=dict, blank=True)
    scores = models.JSONField(default=dict, blank=True)
    sampling = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="model_version_once"),
            models.UniqueConstraint(fields=["category"], condition=models.Q(state="active"), name="one_active_model_per_category"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def folder(self) -> Path:
        """The folder of the exported model."""
        return Path(settings.BASE_DIR) / self.path


class ModelEvent(models.Model):
    """One change of a model version's state. Append-only, which a trigger sees to: undoing is one more event."""

    class Action(models.TextChoices):
        PROMOTION = "promotion"
        ROLLBACK = "rollback"
        REPLACEMENT = "replacement"
        RETIREMENT = "retirement"

    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="events")
    action = models.CharField(max_length=11, choices=Action, help_text="A replacement is the other side of a promotion or rollback.")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="Nobody: a command."
    )
    before = models.CharField(max_length=9, choices=ModelVersion.State)
    after = models.CharField(max_length=9, choices=ModelVersion.State)
    reason = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]


class Batch(models.Model):
    """One generation job: `wanted` tweets of one model, written once or not at all."""

    class State(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="batches")
    key = models.CharField(max_length=160, unique=True, help_text="Whoever asks twice with one key gets one batch.")
    wanted = models.PositiveIntegerField()
    state = models.CharField(max_length=7, choices=State, default=State.PENDING)
    tries = models.PositiveSmallIntegerField(default=0)
    claimed_by = models.UUIDField(null=True, blank=True, help_text="The last claim; only its holder may write the result.")
    lease_until = models.DateTimeField(
        help_text="When a running batch counts as abandoned, and a pending one as lost on its way to a worker."
    )
    made = models.PositiveIntegerField(default=0, help_text="Samples drawn: kept ones and dropped ones.")
    kept = models.PositiveIntegerField(default=0)
    dropped = models.JSONField(default=dict, blank=True, help_text="How many samples were dropped, by reason.")
    error = models.TextField(blank=True, help_text="What the last try died of.")
    worker = models.CharField(max_length=120, blank=True, help_text="Who claimed it last: the name of a Worker.")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True, help_text="Of the last try.")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "batches"
        permissions = [("watch_generation", "Can see how generation is doing")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["done", "failed"], finished_at__isnull=False)
                | models.Q(state__in=["pending", "running"], finished_at__isnull=True),
                name="batch_finished_when_done_or_failed",
            ),
        ]
        indexes = [
            models.Index(fields=["lease_until"], condition=models.Q(state__in=["pending", "running"]), name="batch_unfinished"),
            models.Index(fields=["model_version", "-finished_at"], name="batch_history"),
        ]

    def __str__(self) -> str:
        return f"{self.wanted} by {self.model_version}, {self.state}"


class DroppedSample(models.Model):
    """One of the samples of a batch that were dropped, kept for a while so that people can see what the filters do."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="dropped_samples")
    reason = models.CharField(max_length=40, help_text="A generation.rules.Drop.")
    text = models.TextField()
    detail = models.CharField(max_length=400, blank=True, help_text="The word, the words in a row, how alike.")
    tweet = models.ForeignKey(
        Tweet, on_delete=models.CASCADE, null=True, blank=True, related_name="+", help_text="What it says nearly the same as."
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["reason", "-id"], name="dropped_by_reason")]


class Worker(models.Model):
    """A process that generates, as it says itself: what it runs on, and what it is at."""

    name = models.CharField(max_length=120, unique=True, help_text="Celery's name of it.")
    host = models.CharField(max_length=120)
    pid = models.PositiveIntegerField()
    device = models.CharField(max_length=40, help_text="cpu, cuda, cuda:1, …")
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now(), db_index=True)
    doing = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.name} on {self.device}"
