"""Who may open what: every route stands in one table, and whoever is not named there is refused."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from game.accounts.roles import ADMINISTRATOR, MODERATOR, PLAYER, ROLES, TEACHER
from tests.test_docs import rows

EVERYBODY, SIGNED_IN, MODERATORS, TEACHERS = "everybody", "whoever is signed in", "moderators", "teachers"
ALLOWED = {
    EVERYBODY: {"anonymous", PLAYER, TEACHER, MODERATOR, ADMINISTRATOR},
    SIGNED_IN: {PLAYER, TEACHER, MODERATOR, ADMINISTRATOR},
    MODERATORS: {MODERATOR, ADMINISTRATOR},
    TEACHERS: {TEACHER, ADMINISTRATOR},
}
# Routes of cards, rounds, seats and classes ask besides whose they are: tests of play, of reports and of classes do.
WHO_MAY = {
    EVERYBODY: """
        home play:round play:guess play:result play:leaderboard play:leaderboard-category report:card
        accounts:sign-in accounts:sign-up accounts:sign-out
        duel:front duel:suggest duel:completion duel:report duel:send duel:prompt
        classroom:join classroom:student classroom:answer classroom:state
        classroom:write
        classroom:new-challenge classroom:pace-answer classroom:pace-begin
        classroom:qr
        healthz readyz /favicon.ico /admin/login/
    """,
    SIGNED_IN: "accounts:account accounts:password",
    MODERATORS: """
        moderation:index moderation:search moderation:bulk moderation:undo-bulk moderation:disagreements
        moderation:takedown moderation:receipt moderation:log moderation:log-csv moderation:tweet moderation:undo-step
        moderation:change-tweet
        moderation:categories moderation:new-category moderation:category
        moderation:queue moderation:next moderation:decide moderation:undo moderation:keep moderation:release moderation:origin
        training:index training:run training:cancel training:promote training:retire training:roll-back
        scraping:index scraping:run scraping:cancel scraping:ask-again scraping:category scraping:schedule scraping:list scraping:opt-out
        generation:index generation:filters generation:try-again generation:clear
        duel:moderate
    """,
    TEACHERS: """
        classroom:index classroom:new classroom:host classroom:presenter classroom:act classroom:kick
        classroom:results classroom:results-csv classroom:results-workbook classroom:delete
        classroom:texts
        classroom:pace-extend
    """,
}
TABLE = {name: who for who, names in WHO_MAY.items() for name in names.split()}
# What stands for each part of an address; none of it is there.
VALUES = {"token": "a" * 22, "slug": "owls", "name": "bluesky", "tweet": "999999", "number": "BB-2020-000001", "code": "BCDFGH"}


def walk(patterns: list[URLPattern | URLResolver], prefix: str = "/", space: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name of every route, or its address where it has none, and an address of it."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern).removeprefix("^").removesuffix("$").replace("\\.", ".")
        if isinstance(pattern, URLResolver):
            if route != "/admin/":  # Django's own, of which a test below takes the door
                yield from walk(pattern.url_patterns, route, f"{pattern.namespace}:" if pattern.namespace else space)
        else:
            yield f"{space}{pattern.name}" if pattern.name else route, spell(route)


def spell(route: str) -> str:
    route = re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda found: VALUES[found[1]], route)
    route = re.sub(r"<int:\w+>", "999999", route)
    return re.sub(r"<(?:slug|str):(\w+)>", lambda found: VALUES[found[1]], route)


ROUTES = dict(walk(get_resolver().url_patterns))


def client_of(role: str) -> Client:
    client = Client()
    if role != "anonymous":
        user = User.objects.create(username=role, is_staff=role == MODERATOR)
        if role != PLAYER:
            user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
    return client


def is_let_in(client: Client, path: str, method: str) -> bool:
    """Say whether somebody gets further than the door; behind it a page may well be missing, or want something else."""
    response = getattr(client, method)(path)
    to_sign_in = response.status_code == 302 and response.url.startswith(f"{reverse('accounts:sign-in')}?")
    return not to_sign_in and response.status_code != 403


def test_every_route_stands_in_the_table() -> None:
    assert ROUTES.keys() == TABLE.keys()


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("role", ["anonymous", PLAYER, TEACHER, MODERATOR, ADMINISTRATOR])
def test_each_role_opens_what_the_table_says_and_nothing_else(role: str, method: str, db: None) -> None:
    client, wrong = client_of(role), []
    for name, path in ROUTES.items():
        if name in ("accounts:sign-out", "/admin/login/"):  # these change who asks, or refuse those who are in
            continue
        if is_let_in(client, path, method) != (role in ALLOWED[TABLE[name]]):
            wrong.append(name)
    assert wrong == []


@pytest.mark.parametrize(("role", "codes"), [("anonymous", 302), (PLAYER, 302), (TEACHER, 302), (MODERATOR, 200)])
def test_the_admin_opens_to_staff_alone(role: str, codes: int, db: None) -> None:
    assert client_of(role).get("/admin/").status_code == codes


@cache
def guards() -> dict[str, list[str]]:
    """Return the permissions that views ask for, and the routes' tests above that refuse somebody each of them."""
    found: dict[str, list[str]] = {}
    root = Path(__file__).resolve().parent.parent.parent
    for package in ("game", "scraping", "generation", "training"):
        for path in (root / package).rglob("*.py"):
            for permission in re.findall(r'(?:only_with\(|PERMISSION = |permission = |has_perm\()"(\w+\.\w+)"', path.read_text()):
                found.setdefault(permission, []).append(path.name)
    return found


def test_views_ask_for_permissions_that_a_role_gives_and_no_others() -> None:
    given = frozenset().union(*ROLES.values())
    assert guards().keys() <= given
    own = {permission for permission in given if not permission.startswith(("auth.", "pool.view_"))}
    assert own <= guards().keys()


def test_a_moderator_without_one_permission_is_refused_what_needs_it(db: None) -> None:
    doors = {
        "moderation.take_down": "/moderate/takedown/",
        "pool.add_category": "/moderate/categories/new/",
        "pool.change_category": "/moderate/categories/",
        "pool.moderate_tweet": "/moderate/log/",
        "training.train_model": "/training/",
        "generation.watch_generation": "/generation/",
        "duel.moderate_duel": "/duel/moderate/",
        "scraping.scrape_posts": "/scraping/",
    }
    for lacking in doors:
        user = User.objects.create(username=lacking)
        for permission in Permission.objects.select_related("content_type"):
            spelled = f"{permission.content_type.app_label}.{permission.codename}"
            if spelled in ROLES[MODERATOR] and spelled != lacking:
                user.user_permissions.add(permission)
        client = Client()
        client.force_login(user)
        codes = {door: client.get(address).status_code for door, address in doors.items()}
        assert codes == {door: 403 if door == lacking else 200 for door in doors}


def test_the_roles_in_the_documentation_are_those_of_the_code() -> None:
    page = Path(__file__).resolve().parent.parent.parent / "docs/moderators.md"
    written: dict[str, set[str]] = {role: set() for role in ROLES}
    for row in rows(page):
        if (found := re.fullmatch(r"`(\w+\.\w+)`", row[1] if len(row) > 1 else "")) and len(row) == 6:
            for role, cell in zip(ROLES, row[2:], strict=True):
                assert cell in ("yes", "")
                if cell:
                    written[role].add(found[1])
    assert written == {role: set(permissions) for role, permissions in ROLES.items()}
