"""The game's own settings, but for what would only cost the tests time."""

from game.settings import *  # noqa: F403

# A second of processor time for each account that is made and each time somebody signs in; how good the real ones are is Django's matter.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
