"""Forms of moderation: the filters of a search, and what is done to all that it finds."""

from django import forms

from game.moderation.search import BadFilter, Filters
from game.pool.models import Category, Kind, Status, TweetFlag

_KINDS = [("", "Either"), (Kind.HUMAN, "Human"), (Kind.MACHINE, "Bot")]
_STATUSES = [("", "Any"), *((status, status.label) for status in Status)]
_FLAGS = [("", "Any or none"), *((flag, flag.label) for flag in TweetFlag.Flag)]
DONE: dict[str, str] = {
    Status.APPROVED: "Approve",
    Status.REJECTED: "Reject",
    Status.WITHDRAWN: "Withdraw",
    Status.PENDING: "Send back to the queue",
}


class FilterForm(forms.Form):
    """The filters of a search. What is wrong with one is said by Filters, next to its field."""

    words = forms.CharField(
        required=False,
        widget=forms.TextInput(attrs={"type": "search", "maxlength": 200}),
        help_text="Whole words; “in quotes” for words in a row, or between two for either, -word to leave one out.",
    )
    category = forms.CharField(required=False, widget=forms.Select)
    status = forms.CharField(required=False, widget=forms.Select(choices=_STATUSES))
    flag = forms.CharField(required=False, widget=forms.Select(choices=_FLAGS))
    origin = forms.CharField(required=False, widget=forms.Select(choices=_KINDS), help_text="Then the page says who wrote them.")
    author = forms.CharField(required=False, help_text="A handle, whole, or with the platform as in twitter:ada_owl.")
    model = forms.CharField(required=False, help_text="Its name, as on its tweets.")
    since = forms.CharField(required=False, label="Posted since", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.CharField(required=False, label="Posted until", widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, data: dict[str, str]) -> None:
        super().__init__(data)
        categories = Category.objects.values_list("slug", "name")
        self.fields["category"].widget.choices = [("", "All"), *categories]
        if data.keys() <= {"category"}:  # whoever came by the key wants to type
            self.fields["words"].widget.attrs["autofocus"] = True

    def read(self) -> Filters | None:
        """Return the filters; None where one can't be followed, which its field says."""
        self.full_clean()
        try:
            return Filters.parse(self.data)
        except BadFilter as error:
            name, _, line = str(error).partition(": ")
            self.add_error(name, line)
            return None

    @property
    def more_fields(self) -> list[forms.BoundField]:
        """The fields below the words."""
        return [field for field in self if field.name != "words"]
