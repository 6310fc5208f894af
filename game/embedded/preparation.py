"""Bring database, static files, starter and accounts up to date: in this process, for an interpreter each would take seconds."""

import hashlib
import os
from collections.abc import Callable
from importlib.metadata import version

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections

from game.embedded.processes import Problem


def check_settings() -> None:
    """Refuse a setting that makes no sense."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "game.settings")
    try:
        settings.DEBUG  # noqa: B018  # the first look reads them all
    except ImproperlyConfigured as error:
        raise Problem(str(error)) from error


def prepare(say: Callable[[str], None]) -> None:
    """Prepare everything that a round needs; each step costs little where there is nothing to do."""
    django.setup()
    try:
        say("Bringing the database up to date …")
        call_command("migrate", verbosity=0, interactive=False)
        collect_static(say)
        say("Loading the starter …")
        call_command("load_starter")
        call_command("create_demo_accounts")
    except (CommandError, DatabaseError) as error:
        raise Problem(str(error)) from error
    finally:
        connections.close_all()


def collect_static(say: Callable[[str], None]) -> None:
    """Collect the static files if any of them changed since the last time."""
    stamp = settings.STATIC_ROOT.with_name("static.stamp")
    fingerprint = _static_fingerprint()
    if stamp.exists() and stamp.read_text() == fingerprint:
        return
    say("Collecting static files …")
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    stamp.write_text(fingerprint)


def _static_fingerprint() -> str:
    from django.contrib.staticfiles.finders import get_finders

    digest = hashlib.sha256(f"{version('django')} {version('servestatic')}".encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            digest.update(f"{path} {storage.size(path)} {storage.get_modified_time(path)}\n".encode())
    return digest.hexdigest()
