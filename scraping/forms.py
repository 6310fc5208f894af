"""The forms of the scraping pages: a run, and what happens daily."""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings

from game.pool.models import Category
from game.pool.rules import LANGUAGES
from scraping.catalogue import SOURCES
from scraping.models import Schedule, ScrapeRun
from scraping.orders import Order

_PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


class LimitsForm(forms.Form):
    """What a run may take: from which sources, how many posts, how many dollars."""

    sources = forms.MultipleChoiceField(
        required=False,
        choices=[(entry.name, entry.title) for entry in SOURCES.values()],
        widget=forms.CheckboxSelectMultiple,
        label="Only from",
        help_text="None: from all that its accounts are at.",
    )
    cap = forms.IntegerField(required=False, min_value=1, max_value=1_000_000, label="Posts per account", help_text="At most, in one run.")
    budget = forms.DecimalField(
        required=False,
        min_value=Decimal("0.001"),
        max_digits=9,
        decimal_places=3,
        label="Budget in dollars",
        help_text="Where a source costs money, a run stops there.",
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["cap"].widget.attrs["placeholder"] = f"{settings.SCRAPE_CAP}"

    @property
    def has_limits(self) -> bool:
        """Whether something is limited, or limited wrongly: then the page shows it."""
        return any(self[name].value() for name in ("sources", "cap", "budget"))

    def limits(self) -> dict[str, Any]:
        """Return the keyword arguments that services take."""
        return {"sources": tuple(self.cleaned_data["sources"])} | {name: self.cleaned_data[name] for name in ("cap", "budget")}


class RunForm(LimitsForm):
    """Start a run: of a category that is there, or of a new one."""

    category = forms.CharField(
        max_length=Category._meta.get_field("name").max_length,
        help_text="One that is there, or the name of a new one.",
        # Firefox suggests nothing from a list where completion is off.
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "list": "categories-there"}),
    )
    handles = forms.CharField(
        required=False,
        max_length=200_000,
        label="Accounts to add",
        help_text="One on each line: its address as the browser shows it, or source:name.",
        widget=forms.Textarea(attrs=_PLAIN | {"rows": 4, "placeholder": "bluesky:name.bsky.social\nmastodon:name@mastodon.social"}),
    )
    task = forms.ChoiceField(choices=[("scrape", "Fetch what is new"), ("check", "Check for deletions")], label="What to do")
    language = forms.CharField(
        required=False,
        max_length=8,
        label="Language",
        help_text="Of a new category, as en or de. Posts surely in another one are dropped.",
        widget=forms.TextInput(attrs=_PLAIN | {"placeholder": "en"}),
    )
    agreed = forms.DecimalField(required=False, max_digits=12, decimal_places=3, widget=forms.HiddenInput)

    @property
    def main_fields(self) -> list[forms.BoundField]:
        """The fields that everybody fills in."""
        return [self["category"], self["handles"], self["task"]]

    @property
    def has_limits(self) -> bool:
        """Whether a field of the fold is filled in."""
        return super().has_limits or bool(self["language"].value())

    def clean_language(self) -> str:
        """Return a language that can be told from others."""
        language = self.cleaned_data["language"].strip().lower() or "en"
        if language not in LANGUAGES:
            raise forms.ValidationError("It can't be told from others: use a code of two letters, such as en, de or pt.")
        return language

    def order(self) -> Order:
        """Return what is asked for."""
        values = {name: self.cleaned_data[name] for name in ("category", "handles", "language", "task", "agreed")}
        return Order(**values, **self.limits())


class ScheduleForm(LimitsForm):
    """Whether a category is fetched daily, and what that may take."""

    daily = forms.BooleanField(required=False, label="Every day")


def values_of(run: ScrapeRun) -> dict[str, Any]:
    """Return what the form is filled in with to start a run like `run`."""
    return {"category": run.category.slug, "task": run.task, "sources": run.sources, "cap": run.cap, "budget": _short(run.budget)}


def values_of_schedule(schedule: Schedule | None) -> dict[str, Any]:
    """Return what the form shows of how things are."""
    if schedule is None:
        return {}
    return {"daily": True, "sources": schedule.sources, "cap": schedule.cap, "budget": _short(schedule.budget)}


def _short(dollars: Decimal | None) -> str:
    """Write an amount without the noughts that the table keeps behind it."""
    return "" if dollars is None else f"{dollars:.3f}".rstrip("0").rstrip(".")
