import re

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from game.accounts.identity import public_ref
from game.accounts.models import Player
from game.accounts.roles import PLAYER, ROLES
from game.accounts.services import attach_player, create_guest
from game.play.models import Card, Round, Standing
from tests.game.play.test_views import play

pytest_plugins: list[str] = []
PASSWORD = "correct horse battery"


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", password=PASSWORD)


def sign_in(client: Client, name: str = "ada", password: str = PASSWORD):
    return client.post("/account/sign-in/", {"username": name, "password": password})


def test_a_guest_gets_a_friendly_name(db: None) -> None:
    assert re.fullmatch(r"[A-Z][\w'-]*( [A-Z][\w'-]*)+", create_guest().name)


def test_a_guest_who_signs_up_keeps_everything(category) -> None:
    client = Client()
    round_ = play(client, category)
    response = client.post("/account/sign-up/", {"username": "newton", "password1": PASSWORD, "password2": PASSWORD})
    assert response["Location"] == "/account/"
    player = Player.objects.get(user__username="newton")
    assert player.pk == round_.player_id
    assert Standing.objects.get(player=player, category=None).guesses == 10
    assert player.name in client.get("/account/").content.decode()


def test_a_guest_who_signs_in_brings_the_scores_along(category, ada: User) -> None:
    phone, laptop = Client(), Client()
    sign_in(phone)
    play(phone, category)
    play(laptop, category)
    laptop.get(f"/play/{category.slug}/")
    phone.get(f"/play/{category.slug}/")
    sign_in(laptop)
    player = Player.objects.get()
    assert player.user == ada
    assert Standing.objects.get(player=player, category=None).guesses == 20
    assert Round.objects.filter(player=player, finished_at=None).count() == 1
    assert set(Card.objects.values_list("player", flat=True)) == {player.pk}
    assert laptop.get(f"/play/{category.slug}/").status_code == 200


def test_the_player_of_another_account_is_never_taken(ada: User) -> None:
    mallory = User.objects.create_user("mallory", password=PASSWORD)
    hers = attach_player(user=ada, guest_id=None)
    assert attach_player(user=mallory, guest_id=hers.pk) != hers
    assert Player.objects.get(user=ada) == hers


def test_signing_out_leaves_no_player_for_the_next_one(category, ada: User) -> None:
    client = Client()
    sign_in(client)
    client.post("/account/sign-out/")
    client.get(f"/play/{category.slug}/")
    assert Round.objects.get().player.user is None


def test_signing_out_by_a_link_is_refused(ada: User) -> None:
    client = Client()
    sign_in(client)
    assert client.get("/account/sign-out/").status_code == 405
    assert client.get("/account/").status_code == 200


def test_the_account_page_is_for_those_signed_in(db: None) -> None:
    response = Client().get("/account/")
    assert (response.status_code, response["Location"]) == (302, "/account/sign-in/?next=/account/")


def test_a_player_renames_themselves_and_an_empty_name_is_refused(ada: User) -> None:
    client = Client()
    sign_in(client)
    client.post("/account/", {"name": "  Countess   Lovelace "})
    assert Player.objects.get().name == "Countess Lovelace"
    page = client.post("/account/", {"name": "\u200b \u2063"}).content.decode()
    assert "at least one letter or digit" in page
    assert Player.objects.get().name == "Countess Lovelace"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Moderator", "kept for those who run the game"),
        ("mode\u200brator", "kept for those who run the game"),
        ("\u202erotaredom\u202c bird or bot\u2060", ""),
        ("loud squid", "plays under this name"),
    ],
)
def test_a_name_that_others_could_be_deceived_by_is_refused(ada: User, name: str, complaint: str) -> None:
    Player.objects.create(name="Loud Squid")
    client = Client()
    sign_in(client)
    page = client.post("/account/", {"name": name}, follow=True).content.decode()
    assert complaint in page
    name_now = Player.objects.get(user=ada).name
    assert not set(name_now) & {"\u200b", "\u202e", "\u2060"}
    assert name_now.casefold() not in {"moderator", "loud squid"}


def test_renaming_moves_the_boards_that_the_player_is_on(category, django_capture_on_commit_callbacks, monkeypatch) -> None:
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr("game.play.services.announce", lambda *, topic, keys: told.append((topic, *keys)))
    client = Client()
    play(client, category)
    client.post("/account/sign-up/", {"username": "newton", "password1": PASSWORD, "password2": PASSWORD})
    told.clear()
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/account/", {"name": "Isaac"})
    assert told == [("leaderboard", "all", category.slug)]


def test_a_password_is_changed_by_who_knows_it_and_by_nobody_else(ada: User) -> None:
    client, other = Client(), "staple of another horse"
    form = {"new_password1": other, "new_password2": other}
    assert client.post("/account/password/", form | {"old_password": PASSWORD})["Location"].startswith("/account/sign-in/")
    sign_in(client)
    assert client.post("/account/password/", form | {"old_password": "wrong"}).status_code == 200
    assert client.post("/account/password/", form | {"old_password": PASSWORD})["Location"] == "/account/"
    ada.refresh_from_db()
    assert ada.check_password(other)


def test_a_class_that_signs_up_at_once_is_let_in(db: None) -> None:
    for number in range(30):
        form = {"username": f"pupil{number}", "password1": PASSWORD, "password2": PASSWORD}
        assert Client().post("/account/sign-up/", form)["Location"] == "/account/"


def test_guessing_passwords_is_slowed_down(ada: User, settings) -> None:
    settings.RATE_SIGN_IN = "3/m"
    client = Client()
    assert [sign_in(client, password="wrong").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_sign_in_goes_on_to_pages_of_this_site_only(ada: User) -> None:
    client = Client()
    response = client.post("/account/sign-in/?next=https://example.org/", {"username": "ada", "password": PASSWORD})
    assert response["Location"] == "/"


def test_roles_have_exactly_their_permissions(db: None) -> None:
    # Everybody who plays is a player: nobody is put into that group.
    for role, permissions in ROLES.items() - {(PLAYER, frozenset())}:
        group = Group.objects.get(name=role)
        assert {f"{p.content_type.app_label}.{p.codename}" for p in group.permissions.select_related("content_type")} == permissions


def test_a_public_reference_does_not_hold_the_player_id(db: None) -> None:
    player = create_guest()
    assert public_ref(player.pk) == public_ref(player.pk)
    assert public_ref(player.pk) not in player.pk.hex
