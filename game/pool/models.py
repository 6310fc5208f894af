"""Categories, authors, tweets and what moderators did to them."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now, Random


class Kind(models.TextChoices):
    HUMAN = "human"
    MACHINE = "machine"


class Status(models.TextChoices):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Split(models.TextChoices):
    TRAIN = "train"
    PLAY = "play"


class Stage(models.TextChoices):
    """How far a pending tweet has come."""

    FRESH = "fresh", "nobody has looked"
    SECOND = "second", "waits for another person"
    DISPUTED = "disputed", "two people disagree"


class Category(models.Model):
    """An edition of the game: the tweets of one circle of people, and a model of them."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=200, blank=True)
    language = models.CharField(max_length=8, default="en", help_text="ISO 639-1 code; posts surely in another language are dropped.")
    active = models.BooleanField(default=True, help_text="Shown to players.")
    color = models.CharField(
        max_length=12, blank=True, db_default="", help_text="The name of its colour among those that the look knows; none: plain."
    )
    approves_clean = models.BooleanField(
        default=True, db_default=True, help_text="Machine tweets without a flag are approved by themselves."
    )
    rejects = models.JSONField(
        default=list, db_default=[], blank=True, help_text="Flags (of TweetFlag) with which a tweet is rejected by itself."
    )
    double_share = models.FloatField(default=0.0, db_default=0.0, help_text="Share of its tweets that two people decide on, blind: 0 to 1.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "categories"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Author(models.Model):
    """Who wrote a tweet: a person, or a model version. `kind` is the truth of every card."""

    kind = models.CharField(max_length=8, choices=Kind)
    platform = models.CharField(max_length=20, help_text="twitter, bluesky, …; `model` for machines.")
    handle = models.CharField(max_length=120, help_text="Without the @; a model's name and version.")
    name = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["platform", "handle"], name="author_once"),
            # The target of the tweets' composite foreign key (migration 0002).
            models.UniqueConstraint(fields=["id", "kind"], name="author_id_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.handle} ({self.platform})"


class Tweet(models.Model):
    """A post that may be played, whoever wrote it.

    `kind` repeats `author.kind` so that one partial index serves the draw. A composite foreign
    key (author, kind) keeps the two equal, in the database: see docs/adr/0002.
    """

    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="tweets")
    author = models.ForeignKey(Author, on_delete=models.PROTECT, related_name="tweets")
    kind = models.CharField(max_length=8, choices=Kind)
    text = models.TextField()
    fingerprint = models.BinaryField(max_length=16, help_text="game.pool.rules.fingerprint of the text.")
    status = models.CharField(max_length=9, choices=Status, default=Status.PENDING)
    split = models.CharField(max_length=5, choices=Split)
    draw_key = models.FloatField(db_default=Random())
    posted_at = models.DateTimeField(null=True, blank=True, help_text="When a person posted it, or a model wrote it.")
    facts = models.JSONField(default=dict, blank=True, help_text="Shown after the reveal: likes, shares, link, source; model, sampling.")
    first_dealt_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    checked_at = models.DateTimeField(null=True, blank=True, help_text="When it was looked through for flags.")
    # Both change while it is pending, and are left alone by every decision: undone, it is where it was.
    stage = models.CharField(max_length=8, choices=Stage, db_default=Stage.FRESH, default=Stage.FRESH)
    looked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="Who last looked at it without deciding it: it waits for somebody else.",
    )

    class Meta:
        permissions = [("moderate_tweet", "Can approve, reject and withdraw tweets")]
        constraints = [
            models.UniqueConstraint(fields=["category", "fingerprint"], name="tweet_once_per_category"),
            models.CheckConstraint(condition=~models.Q(kind=Kind.MACHINE) | models.Q(split=Split.PLAY), name="machine_tweets_are_for_play"),
        ]
        indexes = [
            models.Index(
                fields=["category", "kind", "draw_key"],
                # All that the draw returns: it need not visit the table, whose pages a big pool spreads wide.
                include=["id"],
                condition=models.Q(status=Status.APPROVED, split=Split.PLAY),
                name="tweet_draw",
            ),
            models.Index(
                fields=["category", "kind"],
                condition=models.Q(status=Status.APPROVED, split=Split.PLAY, first_dealt_at__isnull=True),
                name="tweet_ready",
            ),
            # What play uses up, as planning counts it every few seconds.
            models.Index(
                fields=["first_dealt_at"],
                include=["category"],
                condition=models.Q(kind=Kind.MACHINE, first_dealt_at__isnull=False),
                name="tweet_dealt",
            ),
            # Few, and looked for among all: which models have learned from them?
            models.Index(fields=["author"], condition=models.Q(status=Status.WITHDRAWN), name="tweet_withdrawn"),
            # The queue, the oldest first; what waits for somebody else lies apart, so that nobody steps over what they have seen.
            models.Index(fields=["category", "stage", "looked_by", "id"], condition=models.Q(status=Status.PENDING), name="tweet_queue"),
            models.Index(fields=["category", "id"], condition=models.Q(checked_at__isnull=True), name="tweet_unchecked"),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class NearMarks(models.Model):
    """By what a tweet's near-copies are found. Written by whoever looks for some, not by imports, which it would slow down."""

    tweet = models.OneToOneField(Tweet, on_delete=models.CASCADE, primary_key=True, related_name="near_marks")
    bands = ArrayField(models.IntegerField(), help_text="game.pool.near.near_marks of the text.")

    class Meta:
        verbose_name_plural = "near marks"
        # Without `fastupdate`, whose list of what is not sorted in yet every look-up reads from end to end: 550 ms for 93 texts, not 2.
        indexes = [GinIndex(fields=["bands"], name="near_marks_bands", fastupdate=False)]


class BannedText(models.Model):
    """Words that were taken down: no category takes them in again, whoever brings them."""

    fingerprint = models.BinaryField(max_length=16, primary_key=True, help_text="game.pool.rules.fingerprint of the text.")
    note = models.CharField(max_length=40, help_text="By what it was banned: the number of a receipt.")
    at = models.DateTimeField(db_default=Now())


class TweetFlag(models.Model):
    """Something about a tweet that whoever decides on it should know."""

    class Flag(models.TextChoices):
        NEAR = "near", "near-duplicate"
        COPIED = "copied", "copied from training"
        UNSAFE = "unsafe", "unsafe word"
        PERSONAL = "personal", "personal data"
        EASY = "easy", "too easy"
        REPORTED = "reported", "reported by players"
        OPINION = "opinion", "second opinion wanted"

    tweet = models.ForeignKey(Tweet, on_delete=models.CASCADE, related_name="flags", db_index=False)
    flag = models.CharField(max_length=8, choices=Flag)
    detail = models.CharField(max_length=200, blank=True, help_text="Which word, what kind of data, how many reports.")
    other = models.ForeignKey(
        Tweet, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", help_text="What it is too near to."
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="Nobody: a rule."
    )
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tweet", "flag"], name="flag_once_per_tweet")]
        indexes = [models.Index(fields=["flag", "tweet"], name="flagged_tweets")]

    def __str__(self) -> str:
        return f"{self.get_flag_display()} {self.detail}".strip()


class BulkAction(models.Model):
    """One decision on many tweets at once. Append-only, which a trigger sees to: undoing the whole is one more."""

    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    filters = models.JSONField(default=dict, help_text="What chose the tweets, as the page's address spells it.")
    after = models.CharField(max_length=9, choices=Status, blank=True, help_text="Nothing: each went back to what it was.")
    reason = models.CharField(max_length=200, blank=True)
    undoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, blank=True, related_name="undone_by")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]


class ModerationEvent(models.Model):
    """One change of a tweet's status, or a look at it that left it pending. Append-only, which a trigger sees to: undoing is one more."""

    tweet = models.ForeignKey(Tweet, on_delete=models.PROTECT, related_name="moderation_events")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, help_text="Nobody: a rule, or the source itself."
    )
    before = models.CharField(max_length=9, choices=Status)
    after = models.CharField(max_length=9, choices=Status)
    reason = models.CharField(max_length=200, blank=True)
    bulk = models.ForeignKey(BulkAction, on_delete=models.PROTECT, null=True, blank=True, related_name="events", db_index=False)
    undoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, blank=True, related_name="undone_by")
    origin_shown = models.BooleanField(default=False, db_default=False, help_text="Whoever decided was shown who wrote it.")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["bulk"], condition=models.Q(bulk__isnull=False), name="events_of_bulk"),
            # Whose turn it is to be undone.
            models.Index(fields=["by", "id"], condition=models.Q(bulk__isnull=True, undoes__isnull=True), name="events_of_person"),
        ]


class CategoryEvent(models.Model):
    """One change of a category. Append-only, which a trigger sees to."""

    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="events")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    before = models.JSONField(default=dict, help_text="The fields that changed, as they were; nothing for a new one.")
    after = models.JSONField(default=dict)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
