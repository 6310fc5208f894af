"""The game's own settings, with two more routes."""

from game.settings import *  # noqa: F403

ROOT_URLCONF = "bench.urls"
