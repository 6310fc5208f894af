"""Class sessions, who sits in them, the cards they are dealt, and what they answered."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now, Upper

from game.accounts.models import Player
from game.classroom import rules
from game.play.rules import new_token
from game.pool.models import Category, Kind, Status, Tweet


class ClassSession(models.Model):
    """A set of cards that many people judge: together (live, write), or each at their own pace until it closes (homework, challenge)."""

    class Mode(models.TextChoices):
        LIVE = "live"
        WRITE = "write", "write your own"
        HOMEWORK = "homework"
        CHALLENGE = "challenge"

    code = models.CharField(max_length=6, unique=True, help_text="game.classroom.rules.new_code: what students type.")
    mode = models.CharField(max_length=9, choices=Mode, default=Mode.LIVE)
    title = models.CharField(max_length=60, blank=True)
    # Whose it is: a teacher's, or a challenge that any player makes.
    teacher = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="class_sessions")
    player = models.ForeignKey(Player, on_delete=models.SET_NULL, null=True, blank=True, related_name="challenges")
    categories = models.ManyToManyField(Category, related_name="+")

    # What the teacher chose.
    card_time = models.DurationField(null=True, blank=True, help_text="None: until the teacher moves on.")
    writing_time = models.DurationField(null=True, blank=True, help_text="Only of `write`.")
    prompt = models.CharField(max_length=100, blank=True, help_text="Only of `write`: how every text begins.")
    card_limit = models.PositiveSmallIntegerField(default=0, help_text="Only of `write`: cards that are dealt of its texts, at most.")
    speed_points = models.BooleanField(default=False)
    show = models.CharField(max_length=5, choices=[(show.value, show.value) for show in rules.Show], default=rules.Show.EACH)
    late_join = models.BooleanField(default=True, help_text="Whether one may join after it has begun.")
    typed_names = models.BooleanField(default=False, help_text="Whether students may type a name; else they are given one.")

    # game.classroom.rules.State; own-pace modes are in the lobby while they are open, and on the podium when they are closed.
    phase = models.CharField(max_length=9, choices=[(phase.value, phase.value) for phase in rules.Phase], default=rules.Phase.LOBBY)
    position = models.PositiveSmallIntegerField(default=0)
    version = models.PositiveIntegerField(default=0)
    given = models.DurationField(null=True, blank=True)
    deadline = models.DateTimeField(null=True, blank=True, help_text="Of this phase; of homework and challenge: when they close.")
    left = models.DurationField(null=True, blank=True, help_text="While paused.")
    locked = models.BooleanField(default=False)

    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)
    delete_at = models.DateTimeField(help_text="Then it deletes itself, with all that its students did.")

    class Meta:
        permissions = [("hold_class", "Can hold classes")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(teacher__isnull=False) | models.Q(mode="challenge"), name="only_challenges_without_teacher"
            ),
        ]
        indexes = [
            models.Index(fields=["deadline"], condition=models.Q(deadline__isnull=False), name="session_due"),
            models.Index(fields=["delete_at"], name="session_to_delete"),
        ]

    def __str__(self) -> str:
        return f"{self.title or self.mode} {self.code}"

    @property
    def state(self) -> rules.State:
        """Return where it is; `cards` is annotated or set by whoever needs it, and 0 otherwise."""
        cards = getattr(self, "card_count", 0)
        return rules.State(
            phase=rules.Phase(self.phase),
            position=self.position,
            cards=cards,
            version=self.version,
            given=self.given,
            deadline=self.deadline,
            left=self.left,
            locked=self.locked,
        )

    @property
    def chosen(self) -> rules.Settings:
        """Return what its phases hang on."""
        return rules.Settings(
            card_time=self.card_time, writing_time=self.writing_time, show=rules.Show(self.show), own_pace=not self.is_in_step
        )

    @property
    def is_in_step(self) -> bool:
        """Say whether all see the same card at once."""
        return self.mode in (self.Mode.LIVE, self.Mode.WRITE)


class Seat(models.Model):
    """One student's place in a session; its token, in a cookie, is who sits there, its code moves it to another device."""

    session = models.ForeignKey(ClassSession, on_delete=models.CASCADE, related_name="seats", db_index=False)
    token = models.CharField(max_length=22, unique=True, default=new_token)
    code = models.CharField(max_length=6)
    name = models.CharField(max_length=24)
    joined_at = models.DateTimeField(db_default=Now())
    kicked_at = models.DateTimeField(null=True, blank=True)
    # At one's own pace: the card that is on the table, and since when.
    shown_position = models.PositiveSmallIntegerField(default=0)
    shown_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "code"], name="seat_code_once"),
            # Whoever was sent out leaves the name, too: they may join again.
            models.UniqueConstraint("session", Upper("name"), condition=models.Q(kicked_at__isnull=True), name="seat_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class ClassText(models.Model):
    """What a student wrote, or a model, to the same prompt. One of the two wrote it: that is its truth, and nothing else says it."""

    class Status(models.TextChoices):
        PENDING = "pending"
        APPROVED = "approved"
        REJECTED = "rejected"

    session = models.ForeignKey(ClassSession, on_delete=models.CASCADE, related_name="texts", db_index=False)
    seat = models.OneToOneField(Seat, on_delete=models.CASCADE, null=True, blank=True, related_name="text")
    model_version = models.ForeignKey("generation.ModelVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    body = models.TextField(help_text="With the prompt that it begins with.")
    status = models.CharField(max_length=8, choices=Status, default=Status.PENDING)
    written_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(seat__isnull=False, model_version__isnull=True)
                | models.Q(seat__isnull=True, model_version__isnull=False),
                name="text_by_a_student_or_a_model",
            ),
        ]
        indexes = [models.Index(fields=["session", "status"], name="classtext_session")]

    @property
    def kind(self) -> Kind:
        """Say who wrote it."""
        return Kind.HUMAN if self.seat_id else Kind.MACHINE


class ClassCard(models.Model):
    """A tweet, or a text of this class, on the table of a session. Its token is random and says nothing."""

    session = models.ForeignKey(ClassSession, on_delete=models.CASCADE, related_name="cards", db_index=False)
    position = models.PositiveSmallIntegerField()
    token = models.CharField(max_length=22, unique=True, default=new_token)
    tweet = models.ForeignKey(Tweet, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    text = models.OneToOneField(ClassText, on_delete=models.CASCADE, null=True, blank=True, related_name="card")
    skipped = models.BooleanField(default=False, help_text="Left out by the teacher: it counts for nobody.")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["session", "position"], name="one_class_card_per_position"),
            models.CheckConstraint(
                condition=models.Q(tweet__isnull=False, text__isnull=True) | models.Q(tweet__isnull=True, text__isnull=False),
                name="card_of_a_tweet_or_a_text",
            ),
        ]

    @property
    def kind(self) -> str:
        """Say who wrote what is on it: the truth."""
        if self.tweet:
            return self.tweet.author.kind
        assert self.text
        return self.text.kind

    @property
    def withdrawn(self) -> bool:
        """Say whether its tweet has left the game since it was dealt."""
        return self.tweet is not None and self.tweet.status != Status.APPROVED

    @property
    def body(self) -> str:
        """Return what is on it: nothing once its tweet has left the game."""
        if self.tweet:
            return "" if self.withdrawn else self.tweet.text
        assert self.text
        return self.text.body


class Answer(models.Model):
    """A seat's verdict on a card: the first one counts."""

    card = models.ForeignKey(ClassCard, on_delete=models.CASCADE, related_name="answers", db_index=False)
    seat = models.ForeignKey(Seat, on_delete=models.CASCADE, related_name="answers")
    verdict = models.CharField(max_length=8, choices=Kind)
    right = models.BooleanField()
    elapsed = models.DurationField(null=True, help_text="From the showing to the server's receipt, pauses apart.")
    points = models.PositiveSmallIntegerField(help_text="game.classroom.rules.points.")
    at = models.DateTimeField(help_text="When the server received it.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["card", "seat"], name="one_answer_per_card_and_seat")]
