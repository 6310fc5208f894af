"""Transactions on players and accounts."""

import secrets
import uuid

import coolname
from django.contrib.auth.models import Group, User
from django.db import transaction

from game.accounts.models import Player
from game.accounts.roles import MODERATOR, TEACHER
from game.accounts.signals import guest_became_player, player_renamed


def create_guest() -> Player:
    """Create a player with a friendly generated name."""
    return Player.objects.create(name=" ".join(coolname.generate(2)).title())


@transaction.atomic
def attach_player(*, user: User, guest_id: uuid.UUID | None) -> Player:
    """Return the player of `user`, who keeps everything that the guest `guest_id` did.

    A guest signing up or in for the first time becomes the account's player; where the account
    has one already, the guest's rounds and scores move over to it. A player of another account
    is never taken.
    """
    guest = Player.objects.select_for_update().filter(pk=guest_id, user=None).first() if guest_id else None
    player = Player.objects.select_for_update().filter(user=user).first()
    if player is None:
        player = guest or create_guest()
        player.user = user
        player.save(update_fields=["user"])
    elif guest:
        guest_became_player.send(Player, guest=guest, player=player)
        guest.delete()
    return player


def rename_player(*, player: Player, name: str) -> None:
    """Give `player` another name."""
    player.name = name
    player.save(update_fields=["name"])
    player_renamed.send(Player, player=player)


@transaction.atomic
def create_demo_accounts(*, password: str | None = None) -> dict[str, str]:
    """Create one account for each role, where missing; return the new ones' passwords by name.

    Without `password` each gets a random one. An account that exists keeps its own.
    """
    created = {}
    for role in (TEACHER, MODERATOR):
        user, new = User.objects.get_or_create(username=role)
        if new:
            created[role] = password or secrets.token_urlsafe(9)
            user.set_password(created[role])
            # Moderators work in the admin, which Django opens to staff alone.
            user.is_staff = role == MODERATOR
            user.save(update_fields=["password", "is_staff"])
            user.groups.add(Group.objects.get(name=role))
    return created
