"""Rounds, cards, guesses, and the counts that pages read."""

from django.db import models
from django.db.models import ExpressionWrapper, FloatField, Value
from django.db.models.functions import Cast, Greatest, Now, Sqrt

from game.accounts.models import Player
from game.play import rules
from game.pool.models import Category, Kind, Tweet


class Round(models.Model):
    """Ten cards of a category, dealt to one player."""

    token = models.CharField(max_length=22, unique=True, default=rules.new_token)
    player = models.ForeignKey(Player, on_delete=models.CASCADE, related_name="rounds")
    category = models.ForeignKey(Category, on_delete=models.PROTECT)
    repeats = models.BooleanField(default=False, help_text="The pool had too little left that this player had not seen.")
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["player", "category"], condition=models.Q(finished_at__isnull=True), name="one_open_round_per_player_and_category"
            ),
        ]


class Card(models.Model):
    """A tweet on the table. Its token is random and says nothing."""

    token = models.CharField(max_length=22, unique=True, default=rules.new_token)
    # Where db_index is off, a constraint or index below begins with the column.
    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="cards", db_index=False)
    # Repeated from the round: the draw asks "has this player seen this tweet" with one index look-up.
    player = models.ForeignKey(Player, on_delete=models.CASCADE, db_index=False)
    tweet = models.ForeignKey(Tweet, on_delete=models.PROTECT)
    position = models.PositiveSmallIntegerField()
    shown_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["round", "position"], name="one_card_per_position")]
        indexes = [models.Index(fields=["player", "tweet"], name="card_seen")]


class OldToken(models.Model):
    """What a card was called while it showed a tweet that has left the game since."""

    token = models.CharField(max_length=22, primary_key=True)
    card = models.ForeignKey(Card, on_delete=models.CASCADE, related_name="old_tokens")


class Guess(models.Model):
    """A player's verdict on a card: the first one counts."""

    card = models.OneToOneField(Card, on_delete=models.CASCADE, primary_key=True, related_name="guess")
    verdict = models.CharField(max_length=8, choices=Kind)
    right = models.BooleanField()
    elapsed = models.DurationField(help_text="From the card's first showing to the guess, on the server's clock.")
    at = models.DateTimeField(db_default=Now())


class Tally(models.Model):
    """What all players said of a tweet."""

    tweet = models.OneToOneField(Tweet, on_delete=models.CASCADE, primary_key=True, related_name="tally")
    said_human = models.PositiveIntegerField(default=0)
    said_machine = models.PositiveIntegerField(default=0)


def _wilson_lower() -> models.Expression:
    """Return `rules.wilson_interval(right, guesses)[0]` as SQL; a test holds the two equal."""
    z2 = rules.Z_95**2
    right, guesses = Cast("right", FloatField()), Cast("guesses", FloatField())
    half = Value(rules.Z_95) * Sqrt(right * (guesses - right) / Greatest(guesses, Value(1.0)) + Value(z2 / 4))
    return ExpressionWrapper((right + Value(z2 / 2) - half) / (guesses + Value(z2)), output_field=FloatField())


class Standing(models.Model):
    """A player's guesses in a category, or in all of them (`category` null)."""

    player = models.ForeignKey(Player, on_delete=models.CASCADE, related_name="standings", db_index=False)
    category = models.ForeignKey(Category, null=True, on_delete=models.CASCADE, db_index=False)
    guesses = models.PositiveIntegerField(default=0)
    right = models.PositiveIntegerField(default=0)
    # Computed by the database, so no code path can forget it.
    strength = models.GeneratedField(expression=_wilson_lower(), output_field=models.FloatField(), db_persist=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["player", "category"], nulls_distinct=False, name="one_standing_per_player_and_category")
        ]
        indexes = [models.Index(fields=["category", "-strength", "-guesses"], name="standing_rank")]
