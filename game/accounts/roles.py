"""Roles are groups; what each may do stands here, and is put into the database after every migration."""

from typing import Any

from django.contrib.auth.models import Group, Permission

PLAYER = "player"
TEACHER = "teacher"
MODERATOR = "moderator"
ADMINISTRATOR = "administrator"

_MODERATES = frozenset(
    {
        "pool.moderate_tweet",
        "pool.view_tweet",
        "pool.view_author",
        "pool.view_moderationevent",
        "pool.view_category",
        "pool.add_category",
        "pool.change_category",
        "moderation.take_down",
        "training.train_model",
        "generation.watch_generation",
        "duel.moderate_duel",
        "scraping.scrape_posts",
    }
)
_TEACHES = frozenset({"classroom.hold_class"})
_GIVES_ROLES = frozenset({"auth.view_user", "auth.add_user", "auth.change_user", "auth.view_group"})
# Permissions by role, as app_label.codename; docs/moderators.md says what they are for. Everybody who plays is a player.
ROLES: dict[str, frozenset[str]] = {
    PLAYER: frozenset(),
    TEACHER: _TEACHES,
    MODERATOR: _MODERATES,
    ADMINISTRATOR: _MODERATES | _TEACHES | _GIVES_ROLES,
}


def sync_roles(**signal: Any) -> None:
    """Give every role's group exactly the permissions of ROLES."""
    for name, wanted in ROLES.items():
        if name == PLAYER:
            continue
        group, _ = Group.objects.get_or_create(name=name)
        permissions = Permission.objects.select_related("content_type")
        group.permissions.set([p for p in permissions if f"{p.content_type.app_label}.{p.codename}" in wanted])
