#!/usr/bin/env python
import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "game.settings")
    try:
        settings.DEBUG  # noqa: B018  # the first look reads them all; Django would go on without them for a while
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    except OperationalError as error:
        # Most often nothing runs: a command works beside `make play`.
        sys.exit(f"PostgreSQL does not serve us: {' '.join(str(error).split())} (Does `make play` run, or is DATABASE_URL right?)")
