"""What people fill in on the duel's pages."""

from django import forms

REASONS = (
    ("hateful", "It is hateful or violent"),
    ("personal", "It tells something private about somebody"),
    ("sexual", "It is sexual"),
    ("copied", "A person wrote it before"),
    ("other", "Something else"),
)


class ReportForm(forms.Form):
    """Why a completion should not be shown."""

    reason = forms.ChoiceField(
        label="What is wrong with it?",
        choices=REASONS,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one.", "invalid_choice": "Choose one."},
    )
