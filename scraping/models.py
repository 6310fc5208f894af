"""Whose posts are scraped, what came of it, and who does not want to be here."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from game.pool.models import Category, Tweet
from scraping.rules import PLATFORMS


class Feed(models.Model):
    """The posts of one account at one source, as one category takes them.

    A *pass* walks from the newest post back to those that an earlier pass knows, or to the end. It may
    be interrupted anywhere: `cursor` says where it goes on, and changes only together with the posts before it.
    """

    class State(models.TextChoices):
        NEW = "new"
        OPEN = "open"
        PROTECTED = "protected"
        SUSPENDED = "suspended"
        MISSING = "missing"
        DECLINED = "declined"

    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="feeds")
    source = models.CharField(max_length=20, help_text="bluesky, mastodon, x, twint")
    handle = models.CharField(max_length=120, help_text="As listed, in small letters, without the @.")
    account_id = models.CharField(max_length=200, blank=True, help_text="The source's own id, which stays when the handle changes.")
    name = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=9, choices=State, default=State.NEW)
    listed = models.BooleanField(default=True, help_text="One that was taken off the list is kept, and not fetched.")
    by_hand = models.BooleanField(default=False, help_text="Added on the page or by --handle, not by the category's file.")
    passes = models.PositiveIntegerField(default=0, help_text="Passes that came to their end.")
    passing = models.BooleanField(default=False, help_text="A pass began and has not ended.")
    cursor = models.TextField(blank=True, help_text="Of the next page of the pass; empty for its first.")
    visited_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True, help_text="What the last visit ended of, if it was not the end of the posts.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["category", "source", "handle"], name="feed_once")]
        ordering = ["source", "handle"]

    def __str__(self) -> str:
        return f"{self.source}:{self.handle}"

    @property
    def platform(self) -> str:
        """The platform whose handles its source reads."""
        return PLATFORMS[self.source]


class RawPost(models.Model):
    """A post before cleaning, and what cleaning said of it."""

    KEPT = "kept"
    GONE = "gone"

    # Both indexes that begin with it serve it.
    feed = models.ForeignKey(Feed, on_delete=models.PROTECT, related_name="posts", db_index=False)
    source_id = models.CharField(max_length=200, help_text="Unique on its platform.")
    in_pass = models.PositiveIntegerField(help_text="How many passes of its feed were over when it came.")
    posted_at = models.DateTimeField(null=True, blank=True)
    record = models.JSONField(null=True, blank=True, help_text="scraping.rules.Post; null once pruned, or gone at the source.")
    outcome = models.CharField(max_length=30, help_text="`kept`, the name of a scraping.rules.Drop, or `gone`.")
    cleaning = models.PositiveSmallIntegerField(help_text="The version of the cleaning that said so.")
    tweet = models.ForeignKey(Tweet, on_delete=models.PROTECT, null=True, blank=True, related_name="raw_posts")
    fetched_at = models.DateTimeField(db_default=Now())
    checked_at = models.DateTimeField(db_default=Now(), help_text="When it was last seen at the source.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["feed", "source_id"], name="raw_post_once")]
        indexes = [
            models.Index(fields=["source_id"], name="raw_post_source_id"),
            models.Index(fields=["feed", "outcome", "-id"], name="raw_post_outcome"),
        ]


class ScrapeRun(models.Model):
    """One walk through the feeds of a category: to fetch what is new, or to ask what is still there."""

    class Task(models.TextChoices):
        SCRAPE = "scrape"
        CHECK = "check", "check for deletions"

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="scrape_runs")
    task = models.CharField(max_length=6, choices=Task, default=Task.SCRAPE)
    sources = models.JSONField(default=list, blank=True, help_text="Names; none: all.")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Nobody: a command, or the clock.",
    )
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    here = models.BooleanField(default=False, help_text="Done by the command that asked for it: no worker goes on with it.")
    cap = models.PositiveIntegerField(null=True, blank=True, help_text="Posts per account, at most, in this run.")
    budget = models.DecimalField(max_digits=9, decimal_places=3, null=True, blank=True, help_text="Dollars that it may cost.")
    spent = models.DecimalField(max_digits=9, decimal_places=3, default=0)
    lease_until = models.DateTimeField(db_default=Now(), help_text="When a waiting one counts as lost on its way to a worker.")
    cancel_asked_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, help_text="What it ended of, in one line.")
    note = models.TextField(blank=True, help_text="What else is worth knowing, a line each.")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("scrape_posts", "Can start, schedule and cancel scraping, and take people out")]
        constraints = [
            models.UniqueConstraint(fields=["category"], condition=models.Q(state="running"), name="one_running_scrape_per_category"),
            models.CheckConstraint(
                condition=models.Q(state__in=["waiting", "running"], finished_at__isnull=True)
                | models.Q(state__in=["done", "failed", "cancelled"], finished_at__isnull=False),
                name="scrape_finished_when_over",
            ),
        ]
        indexes = [models.Index(fields=["lease_until"], condition=models.Q(state__in=["waiting", "running"]), name="scrape_unfinished")]

    def __str__(self) -> str:
        return f"{self.task} {self.pk} of {self.category.slug}"


class Visit(models.Model):
    """What a run did with one feed."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        # A cap, a budget, a ban, an error: it goes on another time.
        STOPPED = "stopped"
        # Protected, suspended, missing, declined, opted out: nothing to fetch, and no error.
        SKIPPED = "skipped"

    run = models.ForeignKey(ScrapeRun, on_delete=models.CASCADE, related_name="visits")
    feed = models.ForeignKey(Feed, on_delete=models.PROTECT, related_name="visits")
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    pages = models.PositiveIntegerField(default=0)
    posts = models.PositiveIntegerField(default=0, help_text="That the source gave; in a check, that were asked about.")
    new = models.PositiveIntegerField(default=0, help_text="That no earlier page had; in a check, that are gone.")
    kept = models.PositiveIntegerField(default=0, help_text="That became tweets of the pool.")
    dropped = models.JSONField(default=dict, blank=True, help_text="How many, by the name of the scraping.rules.Drop.")
    note = models.CharField(max_length=300, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "feed"], name="visit_once")]


class SourceStatus(models.Model):
    """How we stand with a source: what its headers said last, and whether it has sent us away."""

    name = models.CharField(max_length=20, primary_key=True)
    remaining = models.PositiveIntegerField(null=True, blank=True)
    limit = models.PositiveIntegerField(null=True, blank=True)
    resets_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)
    banned_at = models.DateTimeField(null=True, blank=True)
    rests_until = models.DateTimeField(null=True, blank=True, help_text="Not asked before that, after a ban.")
    reason = models.CharField(max_length=300, blank=True)


class Schedule(models.Model):
    """That a category is scraped daily, and what that may cost."""

    category = models.OneToOneField(Category, on_delete=models.CASCADE, primary_key=True, related_name="schedule")
    sources = models.JSONField(default=list, blank=True, help_text="Names; none: all.")
    cap = models.PositiveIntegerField(null=True, blank=True, help_text="Posts per account and run.")
    budget = models.DecimalField(max_digits=9, decimal_places=3, null=True, blank=True, help_text="Dollars per run.")
    next_at = models.DateTimeField()


class OptOut(models.Model):
    """An account whose owner does not want to be in the game: never scraped, never imported, for good."""

    platform = models.CharField(max_length=20)
    handle = models.CharField(max_length=120, help_text="In small letters, without the @.")
    account_id = models.CharField(max_length=200, blank=True, help_text="So that a change of handle does not bring them back.")
    reason = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["platform", "handle"], name="opt_out_once")]


class Cohort(models.Model):
    """A search for the accounts that follow many of some camps' seeds.

    Who follows whom is in a partition of scraping_follower that is this cohort's alone: as many rows as a platform
    has people, which are copied in, counted once and dropped, want neither ids nor indexes nor objects (migration 0002).
    """

    source = models.CharField(max_length=20)
    camps = models.JSONField(help_text="Names, in their order.")
    key = models.CharField(max_length=64, help_text="Of what was asked: source, camps, seeds and cap. SHA-256 in hexadecimal.")
    most = models.PositiveIntegerField(null=True, blank=True, help_text="Followers read of one seed.")
    spent = models.DecimalField(max_digits=9, decimal_places=3, default=0)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True, help_text="When its files were first written.")

    class Meta:
        indexes = [models.Index(fields=["key", "-id"], name="cohort_key")]


class Seed(models.Model):
    """An account whose followers are asked for; `cursor` changes only together with the followers of the page before it."""

    class State(models.TextChoices):
        WAITING = "waiting"
        READING = "reading"
        DONE = "done"
        # Protected, suspended, missing, declined, opted out.
        SKIPPED = "skipped"

    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="seeds")
    camp = models.CharField(max_length=80)
    handle = models.CharField(max_length=120)
    account_id = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    cursor = models.TextField(blank=True)
    followers = models.PositiveIntegerField(default=0, help_text="Read so far; one that came on two pages twice.")
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cohort", "handle"], name="seed_once")]
        ordering = ["pk"]
