"""Categories: made, changed, switched on and off, each change written down."""

import re
from typing import Any

import pytest
from django.test import Client

from game.moderation.categories import COLORS, SlugTaken, change_category, create_category, read_readiness
from game.moderation.category_views import RESERVED
from game.moderation.urls import urlpatterns
from game.play.models import Round
from game.pool.models import Category, CategoryEvent, Tweet, TweetFlag
from tests.game.moderation.moderators import moderator
from tests.test_imports import ROOT

VALUES: dict[str, Any] = {
    "name": "Gulls",
    "description": "People who feed gulls.",
    "language": "en",
    "active": "on",
    "color": "teal",
    "approves_clean": "on",
    "rejects": ["unsafe", "near"],
    "double_share": "0.25",
}


def test_a_new_category_is_there_with_all_that_was_said(mo: Client) -> None:
    assert mo.post("/moderate/categories/new/", {"slug": "gulls", **VALUES})["Location"] == "/moderate/categories/gulls/"
    gulls = Category.objects.get(slug="gulls")
    assert (gulls.name, gulls.color, gulls.rejects, gulls.double_share, gulls.active) == ("Gulls", "teal", ["unsafe", "near"], 0.25, True)
    event = CategoryEvent.objects.get()
    assert (event.by.username, event.before, event.after["slug"], event.after["color"]) == ("mo", {}, "gulls", "teal")  # type: ignore[union-attr]


def test_only_what_changed_is_written_down(owls: Category, mo: Client) -> None:
    same = VALUES | {"name": "Owls", "description": "", "color": "", "rejects": [], "double_share": "0"}
    del same["approves_clean"]
    mo.post("/moderate/categories/owls/", same)
    assert CategoryEvent.objects.count() == 0
    mo.post("/moderate/categories/owls/", same | {"name": "Night owls", "color": "rose"})
    event = CategoryEvent.objects.get()
    assert (event.before, event.after) == ({"name": "Owls", "color": ""}, {"name": "Night owls", "color": "rose"})
    assert "Night owls" in mo.get("/moderate/categories/owls/").content.decode()


def test_a_slug_never_changes(owls: Category, mo: Client) -> None:
    mo.post("/moderate/categories/owls/", VALUES | {"slug": "gulls"})
    assert Category.objects.get().slug == "owls"


@pytest.mark.parametrize("slug", ["owls", "search", "log", "Owls", "night_owls", "two words"])
def test_a_slug_that_is_taken_kept_or_none_is_refused(slug: str, owls: Category, mo: Client) -> None:
    assert mo.post("/moderate/categories/new/", VALUES | {"slug": slug}).status_code == 422
    assert (Category.objects.count(), CategoryEvent.objects.count()) == (1, 0)


@pytest.mark.parametrize(("name", "slug"), [("Night Owls, Ltd.", "night-owls-ltd"), ("Search", None), ("夜の鳥", None), ("Owls!", None)])
def test_an_address_that_is_left_empty_is_made_from_the_name(name: str, slug: str | None, owls: Category, mo: Client) -> None:
    response = mo.post("/moderate/categories/new/", VALUES | {"name": name, "slug": ""})
    assert response.status_code == (302 if slug else 422)
    assert list(Category.objects.exclude(slug="owls").values_list("slug", flat=True)) == ([slug] if slug else [])


def test_no_two_are_given_one_name(owls: Category, mo: Client) -> None:
    response = mo.post("/moderate/categories/new/", VALUES | {"name": " oWLs", "slug": "barn"})
    assert response.status_code == 422
    assert "The category at owls is called that already." in response.content.decode()
    # Two that were called alike before can still be changed.
    Category.objects.create(slug="barn", name="Owls")
    assert mo.post("/moderate/categories/barn/", VALUES | {"name": "Owls"}).status_code == 302
    assert mo.post("/moderate/categories/barn/", VALUES | {"name": "OWLS"}).status_code == 422


def test_languages_are_named_and_real(owls: Category, mo: Client) -> None:
    page = mo.get("/moderate/categories/new/").content.decode()
    assert '<option value="he">Hebrew (he)</option>' in page
    assert '<option value="en" selected>English (en)</option>' in page
    for joke in ("zzb", "zzp", "tlh", "xxx", "xx-Latn", "iw"):
        assert f'value="{joke}"' not in page
    # One that was chosen before stays.
    Category.objects.update(language="iw")
    assert '<option value="iw" selected>iw</option>' in mo.get("/moderate/categories/owls/").content.decode()


def test_changes_are_told_in_the_words_of_the_page(owls: Category, mo: Client) -> None:
    mo.post(
        "/moderate/categories/owls/", VALUES | {"name": "Owls", "description": "", "language": "de", "color": "rose", "rejects": ["near"]}
    )
    page = mo.get("/moderate/categories/owls/").content.decode()
    for told in (
        "<strong>Share that two people decide on</strong>: 0 → 0.25",
        "<strong>Colour</strong>: Plain → Rose",
        "<strong>Language</strong>: English (en) → German (de)",
        "<strong>Clean machine tweets approved by themselves</strong>: no → yes",
        f"<strong>Rejected by themselves</strong>: none → {TweetFlag.Flag.NEAR.label}",
    ):
        assert told in page


def test_no_category_can_be_called_like_a_page_of_moderation() -> None:
    pages = {found[0] for pattern in urlpatterns if (found := re.match(r"[a-z]+(?=/)", str(pattern.pattern)))}
    assert pages <= RESERVED


@pytest.mark.parametrize(
    "wrong",
    [{"double_share": "1.5"}, {"double_share": "nan"}, {"color": "amber"}, {"rejects": ["opinion"]}, {"language": "xx"}, {"name": ""}],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], owls: Category, mo: Client) -> None:
    assert mo.post("/moderate/categories/owls/", VALUES | wrong).status_code == 422
    assert CategoryEvent.objects.count() == 0


def test_two_who_make_the_same_at_once_make_one(owls: Category) -> None:
    with pytest.raises(SlugTaken):
        create_category(slug="owls", values={"name": "Owls"}, by=moderator("mo"))
    assert CategoryEvent.objects.count() == 0


def test_it_says_what_is_missing_before_it_can_be_played(owls: Category, category: Category) -> None:
    assert read_readiness([owls])[owls.pk].missing == [
        "10 more approved tweets of people that are for play",
        "10 more approved tweets of a bot",
        "a model that writes: train one, and promote it",
    ]
    assert read_readiness([category])[category.pk].missing == []


def test_other_rules_have_what_waits_looked_through_again(owls: Category, waiting: Any) -> None:
    waiting("An owl.")
    Tweet.objects.update(checked_at="2020-05-31T12:00Z")
    change_category(category=owls, values={"name": "Night owls"}, by=None)
    assert Tweet.objects.filter(checked_at=None).count() == 0
    change_category(category=owls, values={"rejects": ["near"]}, by=None)
    assert Tweet.objects.filter(checked_at=None).count() == 1


def test_switched_off_with_open_rounds_warns_and_they_go_on_when_it_is_on_again(category: Category, ada: Client, mo: Client) -> None:
    token = ada.get(f"/play/{category.slug}/").context["card"]["token"]
    assert "1 round is open." in " ".join(mo.get(f"/moderate/categories/{category.slug}/").content.decode().split())
    change_category(category=category, values={"active": False}, by=None)
    assert ada.get(f"/play/{category.slug}/").status_code == 404
    assert Round.objects.get().finished_at is None
    change_category(category=category, values={"active": True}, by=None)
    assert ada.get(f"/play/{category.slug}/").context["card"]["token"] == token


def test_every_colour_has_its_line_and_its_value_by_day_and_by_night() -> None:
    rules, tokens = ((ROOT / "static/css" / name).read_text() for name in ("categories.css", "tokens.css"))
    for name in COLORS.keys() - {""}:
        assert f".hue--{name} {{ --hue: var(--hue-{name}); }}" in rules
        assert re.search(rf"--hue-{name}: light-dark\(#\w{{6}}, #\w{{6}}\);", tokens)


def test_the_home_page_shows_the_colour_beside_the_name(category: Category, ada: Client) -> None:
    Category.objects.update(color="moss")
    assert 'class="edition card hue hue--moss"' in ada.get("/").content.decode()
