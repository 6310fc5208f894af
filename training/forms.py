"""The form that starts a run: a category, a base, and the knobs of the recipe that are worth turning."""

from dataclasses import fields
from typing import Any, NamedTuple

from django import forms

from game.pool.models import Category
from training.models import TrainingRun
from training.steps.recipe import Recipe

BASES = ("starter", "gpt2", "distilgpt2")


class Knob(NamedTuple):
    """A number of the recipe that a moderator may set: its name there, what the page says, and its bounds."""

    name: str
    label: str
    help: str
    least: float
    most: float


KNOBS = (
    Knob("epochs", "Epochs", "Times through the tweets, at most.", 1, 100),
    Knob("rate", "Learning rate", "At its peak.", 1e-7, 1),
    Knob("batch", "Batch", "Blocks in a step.", 1, 4096),
    Knob("block", "Block", "Tokens in a block.", 16, 4096),
    Knob("dropout", "Dropout", "Against learning by heart.", 0, 0.9),
    Knob("held_back", "Held back", "Share of the tweets that watches for learning by heart.", 0.01, 0.5),
    Knob("checks", "Checks", "Per epoch; each measures, writes samples and saves.", 1, 100),
    Knob("patience", "Patience", "Checks without getting better before it stops.", 1, 100),
    Knob("temperature", "Temperature", "Of what it writes: lower is tamer.", 0.1, 2),
    Knob("topp", "Top-p", "Writes with the likeliest tokens up to that share.", 0.05, 1),
    Knob("topk", "Top-k", "And with no more of them than that.", 1, 100_000),
    Knob("candidates", "Candidates", "Texts for each one that is served: the judge takes one.", 1, 64),
    Knob("seed", "Seed", "Another one gives another model.", 0, 2**31 - 1),
)
_TYPES = {field.name: (field.type, field.default) for field in fields(Recipe)}


class TrainForm(forms.Form):
    """Start a run. A knob that is left empty has its default, which stands in it."""

    category = forms.ModelChoiceField(Category.objects.all(), to_field_name="slug", empty_label=None)
    base = forms.CharField(
        max_length=400,
        initial=BASES[0],
        label="Base model",
        widget=forms.TextInput(attrs={"list": "bases", "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
        help_text="“starter” is the small one that comes along, for any computer. With a GPU: a name on the hub, or a folder here.",
    )
    promote = forms.BooleanField(required=False, label="Promote it if it beats the active model")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for knob in KNOBS:
            kind, default = _TYPES[knob.name]
            limits: dict[str, Any] = {"min_value": knob.least, "max_value": knob.most}
            field = (forms.IntegerField if kind is int else forms.FloatField)(
                required=False, label=knob.label, help_text=knob.help, **limits
            )
            field.widget.attrs |= {"placeholder": f"{default:g}", "step": 1 if kind is int else "any"}
            self.fields[knob.name] = field

    @property
    def main_fields(self) -> list[forms.BoundField]:
        """The fields that everybody fills in."""
        return [self["category"], self["base"]]

    @property
    def knob_fields(self) -> list[forms.BoundField]:
        """The fields of the recipe."""
        return [self[knob.name] for knob in KNOBS]

    @property
    def has_knobs(self) -> bool:
        """Whether a knob is turned, or turned wrongly: then the page shows them."""
        return any(field.value() not in (None, "") for field in self.knob_fields)

    def recipe_values(self) -> dict[str, Any]:
        """Return what differs from the defaults, base included."""
        chosen = {name: self.cleaned_data[name] for name in ("base", *(knob.name for knob in KNOBS))}
        return {name: value for name, value in chosen.items() if value is not None and value != _TYPES[name][1]}


def values_of(run: TrainingRun) -> dict[str, Any]:
    """Return what the form was filled in with to start `run`."""
    known = {knob.name for knob in KNOBS}
    return {"category": run.category.slug, "base": run.base, "promote": run.promote} | {
        name: value for name, value in run.recipe.items() if name in known
    }
