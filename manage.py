#!/usr/bin/env python
import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "game.settings")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        # Most often nothing runs: a command works beside `make play`.
        sys.exit(f"PostgreSQL does not serve us: {' '.join(str(error).split())} (Does `make play` run, or is DATABASE_URL right?)")
