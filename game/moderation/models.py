"""Who is looking at what, what two people thought of one tweet, what players reported, and what was taken down."""

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.functions import Now

from game.accounts.models import Player
from game.pool.models import Author, ModerationEvent, Tweet


class Lease(models.Model):
    """A tweet that lies before one moderator, so that no other is given it meanwhile."""

    tweet = models.OneToOneField(Tweet, on_delete=models.CASCADE, primary_key=True, related_name="lease")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["until"], name="lease_until")]


class TweetWords(models.Model):
    """What full-text search finds a tweet by. Beside the tweet: each change of its status would write its words anew."""

    tweet = models.OneToOneField(Tweet, on_delete=models.CASCADE, primary_key=True, related_name="words")
    words = SearchVectorField()

    class Meta:
        verbose_name_plural = "tweets' words"
        indexes = [GinIndex(fields=["words"], name="tweet_words")]


class Review(models.Model):
    """What one moderator thought of a tweet without deciding it alone, before knowing what others do.

    Nobody changes it, which a trigger sees to. Undoing takes it away; the log keeps that it was there.
    """

    class Verdict(models.TextChoices):
        APPROVE = "approve"
        REJECT = "reject"
        FLAG = "flag", "somebody else should look"

    tweet = models.ForeignKey(Tweet, on_delete=models.PROTECT, related_name="reviews", db_index=False)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=7, choices=Verdict)
    reason = models.CharField(max_length=200, blank=True)
    event = models.OneToOneField(ModerationEvent, on_delete=models.PROTECT, related_name="review", help_text="By which it was logged.")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tweet", "by"], name="review_once_per_tweet_and_person")]


class TweetReport(models.Model):
    """A player found a tweet unfit to be played."""

    tweet = models.ForeignKey(Tweet, on_delete=models.CASCADE, related_name="reports", db_index=False)
    player = models.ForeignKey(Player, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=20)
    at = models.DateTimeField(db_default=Now())
    settled = models.BooleanField(default=False, help_text="A moderator has looked.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tweet", "player"], name="report_once_per_tweet_and_player")]


class Takedown(models.Model):
    """Tweets that were taken out of everything because somebody asked. Append-only, which a trigger sees to; its number is the receipt."""

    class Kind(models.TextChoices):
        TWEET = "tweet"
        AUTHOR = "author"
        LINK = "link"

    number = models.CharField(max_length=20, unique=True)
    kind = models.CharField(max_length=6, choices=Kind)
    target = models.CharField(max_length=300, help_text="What was asked for, as it was asked.")
    author = models.ForeignKey(Author, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=200)
    tweets = models.PositiveIntegerField(help_text="How many left the pool.")
    completions = models.PositiveIntegerField(default=0, db_default=0, help_text="How many texts of the duel were hidden.")
    categories = models.JSONField(default=dict, db_default={}, help_text="How many tweets, by the slug of their category.")
    cards = models.PositiveIntegerField(help_text="How many open cards were replaced.")
    stale = models.JSONField(default=list, help_text="Which model versions had learned from them.")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        permissions = [("take_down", "Can take tweets down for good")]
