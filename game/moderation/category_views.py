"""Pages on which categories are made and changed. Moderators may."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_safe

from game.guards import only_with, signed_in
from game.limits import limited
from game.moderation.categories import COLORS, FIELDS, NAMES, SlugTaken, change_category, create_category, in_words, read_readiness
from game.play.models import Round
from game.pool.models import Category, CategoryEvent, TweetFlag
from game.pool.rules import LANGUAGES
from scraping.models import Feed

for_changing = only_with("pool.change_category", home="moderation:categories")
for_adding = only_with("pool.add_category", home="moderation:categories")
# What stands before the routes of a category, and so can't be one.
RESERVED = {"search", "bulk", "disagreements", "takedown", "log", "tweet", "categories", "new"}
_LANGUAGES = [(code, f"{name} ({code})") for code, name in sorted(LANGUAGES.items(), key=lambda language: language[1])]


class CategoryForm(forms.ModelForm):
    """What can be said of a category, but for its slug."""

    language = forms.ChoiceField(
        choices=_LANGUAGES,
        initial="en",
        help_text="Posts and samples that are surely in another one are dropped.",
    )
    color = forms.ChoiceField(choices=list(COLORS.items()), required=False, label="Colour", help_text="A line on its card.")
    rejects = forms.MultipleChoiceField(
        choices=[(flag.value, flag.label) for flag in TweetFlag.Flag if flag != TweetFlag.Flag.OPINION],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Rejected by themselves are tweets with the flag",
    )
    double_share = forms.FloatField(
        min_value=0,
        max_value=1,
        initial=0,
        label="Share that two people decide on",
        widget=forms.NumberInput(attrs={"step": "any"}),
        help_text="0 to 1.",
    )

    class Meta:
        model = Category
        fields = FIELDS
        labels = {"active": "On: shown to players", "approves_clean": "Machine tweets without a flag are approved by themselves"}
        help_texts = {"active": "", "approves_clean": ""}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Whatever it was made with stays chosen until somebody chooses another.
        if (code := self.initial.get("language", "en")) not in LANGUAGES:
            self.fields["language"] = forms.ChoiceField(choices=[(code, code), *_LANGUAGES], help_text=self.fields["language"].help_text)

    def clean_name(self) -> str:
        """Refuse a new name by which another one goes: players could not tell the two apart."""
        name: str = " ".join(self.cleaned_data["name"].split())
        other = Category.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).first()
        if other and name != self.initial.get("name"):
            raise forms.ValidationError(f"The category at {other.slug} is called that already.")
        return name


class NewCategoryForm(CategoryForm):
    """The same, and the slug."""

    slug = forms.SlugField(
        required=False,
        max_length=50,
        label="Address",
        help_text="Small letters, digits, hyphens; never changed. Left empty, it is made from the name.",
    )
    field_order = ("name", "slug")

    def clean_slug(self) -> str:
        """Propose one where none is given; refuse what moderation's own pages are called."""
        slug: str = self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", "")).replace("_", "-")[:50].strip("-")
        if not slug:
            raise forms.ValidationError("Say one: the name has no letters for it.")
        if slug in RESERVED or slug != slug.lower() or "_" in slug:
            raise forms.ValidationError("Use small letters, digits and hyphens; and no name of a page of moderation.")
        return slug


@for_changing
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """List the categories, and how far each is: moderators may."""
    categories = list(Category.objects.all())
    readiness = read_readiness(categories)
    return render(request, "moderation/categories.html", {"rows": [(category, readiness[category.pk]) for category in categories]})


@for_adding
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_MODERATION")
def create(request: HttpRequest) -> HttpResponse:
    """Make a category: moderators may."""
    form = NewCategoryForm(request.POST or None, initial={"active": False})
    if request.method == "POST" and form.is_valid():
        values = dict(form.cleaned_data)
        slug = values.pop("slug")
        try:
            create_category(slug=slug, values=values, by=signed_in(request))
        except SlugTaken:
            form.add_error("slug", f"A category has the address {slug} already: type another.")
        else:
            messages.success(request, f"{values['name']} is there.")
            return redirect("moderation:category", slug)
    return render(request, "moderation/category.html", {"form": form}, status=422 if form.is_bound else 200)


@for_changing
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_MODERATION")
def change(request: HttpRequest, slug: str) -> HttpResponse:
    """Show and change a category, and what was changed before: moderators may."""
    category = get_object_or_404(Category, slug=slug)
    form = CategoryForm(request.POST or None, instance=Category.objects.get(pk=category.pk))
    if request.method == "POST" and form.is_valid():
        changed = change_category(category=category, values=form.cleaned_data, by=signed_in(request))
        messages.success(request, _say(changed))
        return redirect("moderation:category", slug)
    context = {
        "form": form,
        "category": category,
        "readiness": read_readiness([category])[category.pk],
        "sources": Feed.objects.filter(category=category, listed=True).count(),
        "open_rounds": Round.objects.filter(category=category, finished_at=None).count(),
        "events": [(event, _changes(event)) for event in category.events.select_related("by")[:50]],
    }
    return render(request, "moderation/category.html", context, status=422 if form.is_bound else 200)


def _changes(event: CategoryEvent) -> list[tuple[str, str, str]]:
    """Return what a change gave another value, with the value before, if there was one, and after."""
    return [
        (NAMES.get(name, name), in_words(name, event.before[name]) if name in event.before else "", in_words(name, value))
        for name, value in event.after.items()
    ]


def _say(changed: dict[str, Any]) -> str:
    if not changed:
        return "Nothing was changed."
    return f"Changed: {', '.join(NAMES[name].lower() for name in changed)}."
