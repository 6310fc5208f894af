"""What a teacher says of a new class."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django import forms
from django.conf import settings
from django.utils import timezone

from game.classroom import rules
from game.classroom.challenge import KEEP_DAYS
from game.classroom.models import ClassSession
from game.classroom.writing import is_taken_out
from game.play.selectors import playable_categories
from game.pool.models import Category
from generation.duel.rules import BadPrompt, clean_prompt

FEWEST, MOST = 3, 50
LONGEST_HOMEWORK = timedelta(days=366)
_Mode, _Show = ClassSession.Mode, rules.Show
_MODES = ((_Mode.LIVE, "Live"), (_Mode.WRITE, "Write your own"), (_Mode.HOMEWORK, "Homework"), (_Mode.CHALLENGE, "Challenge"))
_ABOUT = {
    _Mode.LIVE: "All at once, from the projector.",
    _Mode.WRITE: "The class writes, the bot writes, and all guess.",
    _Mode.HOMEWORK: "The same cards for all, each at their own pace.",
    _Mode.CHALLENGE: "A link: whoever opens it plays the same cards.",
}
_SECONDS = ((0, "No limit"), *((seconds, f"{seconds} seconds") for seconds in (10, 20, 30, 45, 60, 90)))
_MINUTES = tuple((minutes, f"{minutes} minutes") for minutes in (2, 3, 5, 8, 10, 15))
_SHOWS = ((_Show.EACH, "After each card"), (_Show.END, "At the end"), (_Show.NEVER, "Never"))
# Which fields a mode asks for, besides those that all do; the page's style sheet hides the others.
ONLY_OF = {
    "categories": {_Mode.LIVE, _Mode.HOMEWORK, _Mode.CHALLENGE},
    "voice": {_Mode.WRITE},
    "prompt": {_Mode.WRITE},
    "writing_time": {_Mode.WRITE},
    "card_time": {_Mode.LIVE, _Mode.WRITE},
    "speed_points": {_Mode.LIVE, _Mode.WRITE},
    "late_join": {_Mode.LIVE, _Mode.WRITE},
    "deadline": {_Mode.HOMEWORK},
}


def _keep_choices() -> list[tuple[int, str]]:
    days = sorted({*(days for days in (1, 7, 30) if days < settings.CLASS_KEEP_DAYS), settings.CLASS_KEEP_DAYS})
    return [(number, f"{number} day{'s' if number > 1 else ''}") for number in days]


class NewClassForm(forms.Form):
    """A new class; what the chosen mode does not ask for is ignored, whatever stands there."""

    mode = forms.ChoiceField(choices=_MODES, initial=_Mode.LIVE, label="How you play", widget=forms.RadioSelect)
    categories = forms.ModelMultipleChoiceField(
        Category.objects.none(),
        required=False,
        to_field_name="slug",
        label="Decks",
        widget=forms.CheckboxSelectMultiple,
        help_text="Several are dealt in equal shares.",
        error_messages={"invalid_choice": "One of them can't be played any more. Choose again."},
    )
    voice = forms.ModelChoiceField(
        Category.objects.none(),
        required=False,
        to_field_name="slug",
        label="Whose voice",
        empty_label=None,
        help_text="The class writes like the people of this deck, and against its bot.",
        error_messages={"invalid_choice": "It has no bot that can write any more. Choose another."},
    )
    prompt = forms.CharField(
        required=False,
        max_length=100,
        label="How every text begins",
        widget=forms.TextInput(attrs={"placeholder": "Tonight I will", "autocomplete": "off"}),
        help_text="Everybody goes on from here, and so does the bot.",
    )
    writing_time = forms.TypedChoiceField(choices=_MINUTES, coerce=int, initial=5, label="Time to write")
    deadline = forms.CharField(
        required=False,
        label="Open until",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    # The browser's time zone, which only a script knows.
    zone = forms.CharField(required=False, widget=forms.HiddenInput)
    cards = forms.IntegerField(
        min_value=FEWEST,
        max_value=MOST,
        initial=10,
        label="Cards",
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), f"Type a number from {FEWEST} to {MOST}."),
    )
    card_time = forms.TypedChoiceField(choices=_SECONDS, coerce=int, initial=30, label="Time for a card")
    speed_points = forms.BooleanField(required=False, label="The quick get more points")
    show = forms.ChoiceField(choices=_SHOWS, initial=_Show.EACH, label="Standings")
    late_join = forms.BooleanField(required=False, initial=True, label="Who comes late may join")
    typed_names = forms.BooleanField(required=False, label="Students may type a name; else they are given one")
    title = forms.CharField(
        required=False, max_length=60, label="Title", help_text="For you, and on the projector. Such as “8b, Tuesday”. May be empty."
    )
    keep_days = forms.TypedChoiceField(coerce=int, label="Kept for", help_text="Then it deletes itself, with all that its students did.")

    def __init__(self, data: Any = None, *, now: datetime, initial: dict[str, Any] | None = None) -> None:
        self.now = now
        week_on = timezone.localtime(now + timedelta(days=7)).replace(hour=18, minute=0)
        defaults = {"deadline": week_on.strftime("%Y-%m-%dT%H:%M")}
        super().__init__(data, initial=defaults | (initial or {}))
        active = Category.objects.filter(active=True)
        playable = active.filter(pk__in=playable_categories(list(active)))
        writers = active.filter(model_versions__state="active")
        self._offer("categories", playable)
        self._offer("voice", writers)
        self.initial.setdefault("categories", [category.slug for category in playable])
        self.has_decks = playable.exists()
        if not writers.exists():
            self.fields["voice"].help_text = "No deck has a bot that can write. A moderator trains one."
        keep = self.fields["keep_days"]
        assert isinstance(keep, forms.TypedChoiceField)
        keep.choices = _keep_choices()
        self.initial.setdefault("keep_days", min(30, settings.CLASS_KEEP_DAYS))

        for name, modes in ONLY_OF.items():
            self.fields[name].widget.attrs["data-modes"] = " ".join(sorted(modes))

    @property
    def modes(self) -> list[tuple[forms.boundfield.BoundWidget, str]]:
        """Each mode's button, and what it is."""
        return list(zip(self["mode"], _ABOUT.values(), strict=True))

    @property
    def checks(self) -> list[forms.BoundField]:
        """What is a matter of yes or no."""
        return [self[name] for name in ("speed_points", "late_join", "typed_names")]

    @property
    def is_more_wrong(self) -> bool:
        """Say whether something is wrong with a field that the page folds away."""
        return bool(self.errors.keys() & {"show", "keep_days", "title"})

    def _offer(self, name: str, categories: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = categories

    def clean(self) -> dict[str, Any]:
        """Check what the mode asks for, and forget the rest."""
        values = super().clean() or {}
        mode = values.get("mode")
        for name, modes in ONLY_OF.items():
            if mode not in modes:
                self.errors.pop(name, None)
                values[name] = None
        if mode in ONLY_OF["categories"] and values.get("categories") is not None and not values["categories"]:
            self.add_error("categories", "Choose a deck, or several.")
        if mode == _Mode.WRITE:
            self._check_prompt(values)
        if mode == _Mode.HOMEWORK:
            self._check_deadline(values)
        return values

    def _check_prompt(self, values: dict[str, Any]) -> None:
        if "voice" in values and values["voice"] is None:
            self.add_error("voice", "Choose a deck.")
        if "prompt" not in values:
            return
        try:
            values["prompt"] = clean_prompt(values["prompt"])
        except BadPrompt as error:
            self.add_error("prompt", str(error))
            return
        if is_taken_out(prompt=values["prompt"]):
            self.add_error("prompt", "A moderator has taken that beginning out. Try another.")

    def _check_deadline(self, values: dict[str, Any]) -> None:
        try:
            zone = ZoneInfo(values.get("zone") or settings.TIME_ZONE)
        except (ZoneInfoNotFoundError, ValueError):
            zone = ZoneInfo(settings.TIME_ZONE)
        try:
            deadline = datetime.fromisoformat(values.get("deadline", ""))
            deadline = deadline if deadline.tzinfo else deadline.replace(tzinfo=zone)
        except ValueError:
            self.add_error("deadline", "Say until when: a day and a time.")
            return
        if deadline <= self.now:
            self.add_error("deadline", "That is over already. Choose a later time.")
        elif deadline > self.now + LONGEST_HOMEWORK:
            self.add_error("deadline", "That is too far away. Choose a day within a year.")
        values["deadline"] = deadline

    def read(self) -> dict[str, Any]:
        """Return what game.classroom.services.create_session takes of a form that is valid."""
        said = self.cleaned_data
        writes = said["mode"] == _Mode.WRITE
        own_pace = said["mode"] in (_Mode.HOMEWORK, _Mode.CHALLENGE)
        seconds, minutes = said["card_time"], said["writing_time"]
        return {
            "mode": said["mode"],
            "title": said["title"],
            "categories": [said["voice"]] if writes else list(said["categories"]),
            "cards": said["cards"],
            "card_time": timedelta(seconds=seconds) if seconds else None,
            "speed_points": bool(seconds and said["speed_points"]),
            "show": said["show"],
            # At one's own pace nobody is late before it closes.
            "late_join": own_pace or said["late_join"],
            "typed_names": said["typed_names"],
            "keep_days": min(said["keep_days"], KEEP_DAYS) if said["mode"] == _Mode.CHALLENGE else said["keep_days"],
            "deadline": said["deadline"],
            "writing_time": timedelta(minutes=minutes) if writes else None,
            "prompt": said["prompt"] or "",
        }


def choices_like(session: ClassSession) -> dict[str, Any]:
    """Return what a form for another session like this one begins with."""
    slugs = [category.slug for category in session.categories.all()]
    writes = session.mode == _Mode.WRITE
    choices = {name: getattr(session, name) for name in ("mode", "title", "prompt", "speed_points", "show", "late_join", "typed_names")}
    choices["cards"] = session.card_limit if writes else session.state.cards
    choices["card_time"] = session.card_time.seconds if session.card_time else 0
    if session.writing_time:
        choices["writing_time"] = session.writing_time.seconds // 60
    if slugs:
        choices |= {"voice": slugs[0]} if writes else {"categories": slugs}
    return choices
