"""Forms on accounts."""

import unicodedata
from typing import Any

from django import forms
from django.contrib.auth.forms import PasswordChangeForm, UserCreationForm

from game.accounts.models import Player
from game.accounts.roles import ROLES

PASSWORD_HELP = "Eight characters or more, and not only digits."
# Names that a player could be believed by.
RESERVED = {*ROLES, "admin", "administrator", "bird or bot"}


class SignUpForm(UserCreationForm):
    """A user name and a password; no address, no e-mail."""

    class Meta(UserCreationForm.Meta):
        fields = ("username",)
        help_texts = {"username": "Letters, digits and . _ - + @"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = PASSWORD_HELP
        self.fields["password2"].help_text = ""


class PasswordForm(PasswordChangeForm):
    """The old password and, twice, the new one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new_password1"].help_text = PASSWORD_HELP


class NameForm(forms.ModelForm):
    """The name that leaderboards show."""

    class Meta:
        model = Player
        fields = ("name",)

    def clean_name(self) -> str:
        """Return the name without what can't be seen; refuse an empty, a reserved and a taken one."""
        seen = "".join(character for character in self.cleaned_data["name"] if unicodedata.category(character)[0] != "C")
        name = " ".join(unicodedata.normalize("NFKC", seen).split())
        if not any(character.isalnum() for character in name):
            raise forms.ValidationError("Use at least one letter or digit.")
        if name.casefold() in RESERVED:
            raise forms.ValidationError("This name is kept for those who run the game.")
        if Player.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("Somebody plays under this name: choose another.")
        return name
