"""Who comes to the pages of moderators: one who may, and those who must be refused."""

from django.contrib.auth.models import Group, User
from django.test import Client

from game.accounts.roles import MODERATOR, TEACHER


def client_of(name: str, enforce_csrf_checks: bool = False) -> Client:
    """Return the browser of somebody signed in as `name`, which is a role or a player's name; `anonymous` is nobody."""
    client = Client(enforce_csrf_checks=enforce_csrf_checks)
    if name != "anonymous":
        user, new = User.objects.get_or_create(username=name)
        if new and name in (MODERATOR, TEACHER):
            user.groups.add(Group.objects.get(name=name))
        client.force_login(user)
    return client


def cookie_of(name: str) -> str:
    """Return the cookie header of somebody signed in."""
    return client_of(name).cookies.output(header="", sep=";").strip()
