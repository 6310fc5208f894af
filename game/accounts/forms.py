"""Forms on accounts."""

from django import forms
from django.contrib.auth.forms import UserCreationForm

from game.accounts.models import Player


class SignUpForm(UserCreationForm):
    """A user name and a password; no address, no e-mail."""

    class Meta(UserCreationForm.Meta):
        fields = ("username",)


class NameForm(forms.ModelForm):
    """The name that leaderboards show."""

    class Meta:
        model = Player
        fields = ("name",)

    def clean_name(self) -> str:
        """Refuse a name that shows nothing."""
        name = " ".join(self.cleaned_data["name"].split())
        if not any(character.isalnum() for character in name):
            raise forms.ValidationError("Use at least one letter or digit.")
        return name
